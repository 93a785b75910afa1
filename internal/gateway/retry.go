package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capnt/capnt/internal/prism/transport"
)

// Retry bounds repetitions.
type Retry struct {
	// Attempts, the first one included; 0 for as many as there is time for.
	Attempts int
	// Total is the time after which no further attempt begins, counted from the first.
	Total time.Duration
	// Base is the wait after the first attempt; it doubles up to Max. Half of each wait is random.
	Base, Max time.Duration
}

var (
	// readRetry bridges a minute of failing answers: longer, and the run is better started again. Total exceeds the minute by
	// more than Max, because no attempt begins after it.
	readRetry = Retry{Total: 75 * time.Second, Base: 250 * time.Millisecond, Max: 10 * time.Second}
	// recordRetry has a child wait for its reply; the API server is near.
	recordRetry = Retry{Attempts: 6, Total: 15 * time.Second, Base: 100 * time.Millisecond, Max: 5 * time.Second}
)

func (r Retry) withDefaults(defaults Retry) Retry {
	if r.Attempts == 0 {
		r.Attempts = defaults.Attempts
	}
	if r.Total == 0 {
		r.Total = defaults.Total
	}
	if r.Base == 0 {
		r.Base = defaults.Base
	}
	if r.Max == 0 {
		r.Max = defaults.Max
	}
	return r
}

// next is the wait after the given attempt, which counts from 1, and whether there is another one. waited is the time since
// the first; asked is the wait that the answer asks for.
func (r Retry) next(attempt int, waited, asked time.Duration) (time.Duration, bool) {
	wait := max(r.delay(attempt), asked)
	return wait, !r.last(attempt) && waited+wait <= r.Total
}

// last reports whether the given attempt is the last that is allowed.
func (r Retry) last(attempt int) bool { return r.Attempts > 0 && attempt >= r.Attempts }

// delay is the wait after the given attempt, which counts from 1.
func (r Retry) delay(attempt int) time.Duration {
	wait := r.Base
	for range attempt - 1 {
		if wait >= r.Max {
			break
		}
		wait *= 2
	}
	wait = min(wait, r.Max)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
}

// maxReplay is the largest body of a read that is kept for its repetition; lists send a few hundred bytes.
const maxReplay = 1 << 20

// repeater repeats reads that meet a passing fault: a connection that fails, or an answer 408, 429, 500, 502, 503 or 504.
// It never repeats a write.
type repeater struct {
	next    http.RoundTripper
	bound   Retry
	retries *prometheus.CounterVec
}

func (r *repeater) RoundTrip(req *http.Request) (*http.Response, error) {
	if !transport.IsRead(req) {
		return r.next.RoundTrip(req)
	}
	req, ok, err := replayable(req)
	if err != nil {
		return nil, err
	}
	if !ok {
		return r.next.RoundTrip(req)
	}
	begin := time.Now()
	for attempt := 1; ; attempt++ {
		try, err := transport.Again(req)
		if err != nil {
			return nil, err
		}
		resp, err := r.next.RoundTrip(try)
		reason := passingFault(req.Context(), resp, err)
		wait, again := r.bound.next(attempt, time.Since(begin), retryAfter(resp))
		if reason == "" || !again {
			return resp, err
		}
		discard(resp)
		r.retries.WithLabelValues(reason).Inc()
		if err := pause(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// replayable gives req a body that can be had again. It says false when the body is too large to keep.
func replayable(req *http.Request) (*http.Request, bool, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true, nil
	}
	head, err := io.ReadAll(io.LimitReader(req.Body, maxReplay+1))
	if err != nil {
		return nil, false, err
	}
	kept := req.Clone(req.Context())
	if len(head) > maxReplay {
		kept.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), req.Body), req.Body}
		return kept, false, nil
	}
	_ = req.Body.Close()
	kept.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(head)), nil }
	kept.Body, err = kept.GetBody()
	kept.ContentLength = int64(len(head))
	return kept, true, err
}

// passingFault names the fault that may be gone at the next attempt, "" when there is none.
func passingFault(ctx context.Context, resp *http.Response, err error) string {
	if err != nil {
		var certificate *transport.CertificateError
		if ctx.Err() != nil || errors.As(err, &certificate) {
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

// retryAfter is the wait that an answer asks for, in seconds or as a date; 0 when it asks for none.
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

// discard ends an answer that nobody will read, so that its connection can be used again.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxReplay)
	_ = resp.Body.Close()
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
