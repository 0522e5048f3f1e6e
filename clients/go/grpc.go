package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Messages as bytes, so that no code has to be generated.
type raw struct{}

func (raw) Marshal(message any) ([]byte, error)      { return *message.(*[]byte), nil }
func (raw) Unmarshal(data []byte, message any) error { *message.(*[]byte) = data; return nil }
func (raw) Name() string                             { return "proto" }

const policy = `{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":3,"initialBackoff":"0.01s","maxBackoff":"0.02s",
	"backoffMultiplier":1,"retryableStatusCodes":["UNAVAILABLE"]}}]}`

func overGRPC(base string) func(context.Context, string, int) report {
	target := strings.TrimPrefix(base, "http://")
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(policy),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, id string, nth int) report {
		for renewed := 0; ; renewed++ {
			ctx := metadata.AppendToOutgoingContext(ctx, "x-call-id", id, "authorization", bearer(token(id, renewed)))
			received, err := invoke(ctx, connection, nth)
			// A token that was refused is renewed, and the call made again.
			if status.Code(err) == codes.Unauthenticated && received == 0 && renewed == 0 {
				continue
			}
			return report{grpcOutcome(err, received), received, renewed}
		}
	}
}

// Makes a unary call or one that streams; how many messages came.
func invoke(ctx context.Context, connection *grpc.ClientConn, nth int) (int, error) {
	request := []byte("\x0a\x02m1")
	var message []byte
	if nth%2 == 0 {
		if err := connection.Invoke(ctx, "/calls.Calls/Unary", &request, &message); err != nil {
			return 0, err
		}
		return 1, nil
	}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/calls.Calls/Stream")
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(&request); err != nil && err != io.EOF {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	for received := 0; ; received++ {
		switch err := stream.RecvMsg(&message); err {
		case nil:
		case io.EOF:
			return received, nil
		default:
			return received, err
		}
	}
}

func grpcOutcome(err error, received int) string {
	switch code := status.Code(err); {
	case code == codes.OK:
		return "ok"
	case code == codes.DeadlineExceeded:
		return "hang"
	case code != codes.Unauthenticated && code != codes.PermissionDenied:
		return fmt.Sprintf("code-%d", code)
	case received > 0:
		return "cut"
	case code == codes.PermissionDenied:
		return "withheld"
	default:
		return "refused"
	}
}
