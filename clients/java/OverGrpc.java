import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Calls with grpc-java, with a policy of three attempts. Messages are bytes. */
final class OverGrpc implements Calls.Client {
    private static final byte[] REQUEST = {0x0a, 2, 'm', '1'};
    private static final Metadata.Key<String> CALL_ID = Metadata.Key.of("x-call-id", Metadata.ASCII_STRING_MARSHALLER);
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final MethodDescriptor<byte[], byte[]> UNARY = method(MethodDescriptor.MethodType.UNARY, "Unary");
    private static final MethodDescriptor<byte[], byte[]> STREAM =
            method(MethodDescriptor.MethodType.SERVER_STREAMING, "Stream");

    private final ManagedChannel channel;

    OverGrpc(String base) {
        Map<String, Object> policy =
                Map.of(
                        "maxAttempts", 3.0,
                        "initialBackoff", "0.01s",
                        "maxBackoff", "0.02s",
                        "backoffMultiplier", 1.0,
                        "retryableStatusCodes", List.of("UNAVAILABLE"));
        channel =
                NettyChannelBuilder.forTarget(base.replace("http://", ""))
                        .usePlaintext()
                        .enableRetry()
                        .defaultServiceConfig(
                                Map.of("methodConfig", List.of(Map.of("name", List.of(Map.of()), "retryPolicy", policy))))
                        .build();
    }

    @Override
    public Calls.Report call(String id, int nth) {
        Calls.Report first = call(id, nth, 0);
        return first.outcome().equals("refused") ? call(id, nth, 1) : first;
    }

    private Calls.Report call(String id, int nth, int renewed) {
        Metadata metadata = new Metadata();
        metadata.put(CALL_ID, id);
        metadata.put(AUTHORIZATION, Calls.bearer(id, renewed));
        Channel with = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(Calls.LIMIT_SECS, TimeUnit.SECONDS);
        int received = 0;
        try {
            if (nth % 2 == 0) {
                ClientCalls.blockingUnaryCall(with, UNARY, options, REQUEST);
                received = 1;
            } else {
                var messages = ClientCalls.blockingServerStreamingCall(with, STREAM, options, REQUEST);
                for (; messages.hasNext(); messages.next()) {
                    received++;
                }
            }
            return new Calls.Report("ok", received, renewed);
        } catch (StatusRuntimeException error) {
            Status.Code code = error.getStatus().getCode();
            String outcome =
                    switch (code) {
                        case UNAUTHENTICATED -> received == 0 ? "refused" : "cut";
                        case PERMISSION_DENIED -> received == 0 ? "withheld" : "cut";
                        case DEADLINE_EXCEEDED -> "hang";
                        default -> "code-" + code.value();
                    };
            System.err.println(id + " " + error);
            return new Calls.Report(outcome, received, renewed);
        }
    }

    private static MethodDescriptor<byte[], byte[]> method(MethodDescriptor.MethodType type, String name) {
        MethodDescriptor.Marshaller<byte[]> same =
                new MethodDescriptor.Marshaller<>() {
                    @Override
                    public InputStream stream(byte[] message) {
                        return new ByteArrayInputStream(message);
                    }

                    @Override
                    public byte[] parse(InputStream stream) {
                        try {
                            return stream.readAllBytes();
                        } catch (IOException error) {
                            throw new UncheckedIOException(error);
                        }
                    }
                };
        return MethodDescriptor.newBuilder(same, same).setType(type).setFullMethodName("calls.Calls/" + name).build();
    }
}
