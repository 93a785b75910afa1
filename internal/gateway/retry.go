package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capnt/capnt/internal/prism/transport"
)

// maxReplayBytes is the maximum size of the body of a read that can be retried. The body of a list request has a few hundred bytes.
const maxReplayBytes = 1 << 20

// maxKeptBytes is how much of the response to a read the gateway keeps until the response is complete. If the connection breaks before, the
// read can be retried, because the child has received nothing. The rest of a larger response is passed on as it arrives.
const maxKeptBytes = 8 << 20

// bodyFault is the transient fault of a response whose body is incomplete.
const bodyFault = "body"

// retryTransport retries reads after a transient fault. A transient fault is a failed connection, a response with status 408, 429, 500,
// 502, 503 or 504, or an incomplete response of up to maxKeptBytes that is no error. Writes are never retried.
type retryTransport struct {
	next    http.RoundTripper
	retry   Retry
	retries *prometheus.CounterVec
}

func (t *retryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !transport.IsRetryable(req) {
		return t.next.RoundTrip(req)
	}
	req, ok, err := replayable(req)
	if err != nil {
		return nil, err
	}
	if !ok {
		return t.next.RoundTrip(req)
	}
	start := time.Now()
	for attempt := 1; ; attempt++ {
		resp, fault, err := t.send(req)
		wait, again := t.retry.next(attempt, time.Since(start), retryAfter(resp))
		if fault == "" || !again {
			return resp, err
		}
		discard(resp)
		t.retries.WithLabelValues(fault).Inc()
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// send sends a read once. It returns the transient fault, or an empty string if there is none.
func (t *retryTransport) send(req *http.Request) (*http.Response, string, error) {
	try, err := transport.CloneWithBody(req)
	if err != nil {
		return nil, "", err
	}
	resp, err := t.next.RoundTrip(try)
	fault := transientFault(req.Context(), resp, err)
	if err != nil || fault != "" || resp.StatusCode >= http.StatusBadRequest {
		return resp, fault, err
	}
	if err := keepBody(resp); err != nil {
		_ = resp.Body.Close()
		if req.Context().Err() == nil {
			fault = bodyFault
		}
		return nil, fault, fmt.Errorf("reading the response: %w", err)
	}
	return resp, "", nil
}

// keepBody reads the body of a response, but at most maxKeptBytes, and sets the body again.
func keepBody(resp *http.Response) error {
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxKeptBytes))
	if err != nil {
		return err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	return nil
}

// replayable returns a copy of req whose body can be sent more than once. If the body exceeds maxReplayBytes, it returns false and a
// request that can be sent only once.
func replayable(req *http.Request) (*http.Request, bool, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true, nil
	}
	head, err := io.ReadAll(io.LimitReader(req.Body, maxReplayBytes+1))
	if err != nil {
		return nil, false, err
	}
	kept := req.Clone(req.Context())
	if len(head) > maxReplayBytes {
		kept.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), req.Body), req.Body}
		return kept, false, nil
	}
	_ = req.Body.Close()
	setBody(kept, head)
	return kept, true, nil
}

// transientFault returns the name of the transient fault in a response or an error, or an empty string if there is none.
func transientFault(ctx context.Context, resp *http.Response, err error) string {
	if err != nil {
		var certificate *transport.CertificateError
		var refused *transport.CredentialsRefusedError
		if ctx.Err() != nil || errors.As(err, &certificate) || errors.As(err, &refused) {
			return ""
		}
		return "connection"
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return strconv.Itoa(resp.StatusCode)
	}
	return ""
}

// retryAfter returns the wait that resp requests in seconds or as a date, or 0 if it requests no wait.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}

// discard reads and closes the body of a response that is not passed on, so that the connection can be reused.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxReplayBytes)
	_ = resp.Body.Close()
}
