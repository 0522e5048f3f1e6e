package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const kib = 1024

// Method, path, and bytes to upload, of the call of a number.
func call(nth int) (string, string, int) {
	switch nth % 5 {
	case 0:
		return "POST", "/work", 100
	case 1:
		return "POST", "/work", 64 * kib * (1 + nth/5%32)
	case 2:
		return "GET", "/download", 0
	case 3:
		return "GET", "/download/sized", 0
	default:
		return "GET", "/events", 0
	}
}

// Has a refused request sent again with a new token, as OAuth clients do.
type renewing struct {
	inner   http.RoundTripper
	id      string
	renewed *int
}

func (r renewing) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Header.Set("Authorization", bearer(r.id))
	response, err := r.inner.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	*r.renewed = 1
	again := request.Clone(request.Context())
	if request.GetBody != nil {
		if again.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
	again.Header.Set("Authorization", bearer(token(r.id, 1)))
	return r.inner.RoundTrip(again)
}

func overHTTP(base string, http2 bool) func(context.Context, string, int) report {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: &protocols, MaxIdleConnsPerHost: parallel, IdleConnTimeout: time.Minute}
	return func(ctx context.Context, id string, nth int) (it report) {
		method, path, length := call(nth)
		var body io.Reader
		if length > 0 {
			body = bytes.NewReader(bytes.Repeat([]byte("u"), length))
		}
		request, err := http.NewRequestWithContext(ctx, method, base+path, body)
		if err != nil {
			panic(err)
		}
		request.Header.Set("x-call-id", id)
		client := http.Client{Transport: renewing{transport, id, &it.renewed}}
		response, err := client.Do(request)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			it.outcome = "hang"
			return
		case err != nil:
			fmt.Fprintln(os.Stderr, id, err)
			it.outcome = "nothing"
			return
		}
		defer response.Body.Close()
		received, err := io.Copy(io.Discard, response.Body)
		it.received = int(received)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			it.outcome = "hang"
		case err != nil:
			it.outcome = "cut"
		case response.StatusCode == 200:
			it.outcome = "ok"
		case response.StatusCode == 401:
			it.outcome = "refused"
		case response.StatusCode == 403:
			it.outcome = "withheld"
		default:
			it.outcome = fmt.Sprintf("status-%d", response.StatusCode)
		}
		return
	}
}
