// Calls with Go's net/http and with grpc-go: see ../README.md.
//
//	client BASE PREFIX COUNT http-1.1 | http-2 | grpc
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	parallel = 8
	limit    = 20 * time.Second
)

// What became of a call.
type report struct {
	outcome  string
	received int
	renewed  int
}

func bearer(token string) string {
	part := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	return "Bearer " + part(`{"alg":"none"}`) + "." + part(`{"jti":"`+token+`"}`) + ".x"
}

// The token of a call, or the one that takes its place.
func token(id string, renewed int) string {
	if renewed == 0 {
		return id
	}
	return fmt.Sprintf("%s+%d", id, renewed)
}

func main() {
	base, prefix, what := os.Args[1], os.Args[2], os.Args[4]
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	one := map[string]func(string) func(context.Context, string, int) report{
		"http-1.1": func(base string) func(context.Context, string, int) report { return overHTTP(base, false) },
		"http-2":   func(base string) func(context.Context, string, int) report { return overHTTP(base, true) },
		"grpc":     overGRPC,
	}[what](base)

	numbers := make(chan int)
	var workers sync.WaitGroup
	for range parallel {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for nth := range numbers {
				id := fmt.Sprintf("%s-%d", prefix, nth)
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				it := one(ctx, id, nth)
				cancel()
				fmt.Printf("%s %s %d %d\n", id, it.outcome, it.received, it.renewed)
			}
		}()
	}
	for nth := range count {
		numbers <- nth
	}
	close(numbers)
	workers.Wait()
}
