package prismv4

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/internal/session"
)

const (
	requestIDHeader = "NTNX-Request-Id"
	ifMatchHeader   = "If-Match"
	etagHeader      = "ETag"
	// maxResponse is the maximum size of a response in bytes. A page of 100 virtual machines has about 1 MB.
	maxResponse = 64 << 20
	// firstPause is the pause before the first retry. It is doubled for each further retry and extended by up to a quarter.
	firstPause = 200 * time.Millisecond
	// maxPause is the maximum pause that Retry-After can request. If Retry-After requests a longer one, the request is not retried.
	maxPause = 10 * time.Second
)

// request is one request of the v4 API.
type request struct {
	// operation is used in errors and metrics. label, if set, replaces it in metrics.
	operation, label  string
	method, namespace string
	// path is the path below /api/<namespace>/<version>, with escaped segments.
	path    string
	query   url.Values
	body    []byte
	ifMatch string
	// object is the UUID of the object that the request reads or changes, or empty.
	object string

	id, url string
}

// response is a response whose body has been read.
type response struct {
	status int
	header http.Header
	body   []byte
}

// isJSON reports whether the response contains JSON. A response without JSON comes from a proxy and not from Prism Central.
func (r response) isJSON() bool {
	media, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// do sends a request and returns the response if it is successful and JSON. All tries have the same NTNX-Request-Id, so that Prism Central
// does not execute a retry of a request that it has already executed. Errors are of type *Error.
func (c *Client) do(ctx context.Context, req request) (response, error) {
	limits := c.limits()
	ctx, cancel := context.WithTimeout(ctx, limits.Timeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return response{}, unreachable(req.operation, fmt.Errorf("reading the endpoint of Prism Central: %w", err))
	}
	req.id = uuid.NewString()
	if req.url, err = c.url(ctx, conn, req); err != nil {
		return response{}, unreachable(req.operation, err)
	}
	var got response
	var failure *Error
	for try := 1; ; try++ {
		attempt, err := c.send(ctx, conn, req)
		ended := judge(conn, req, attempt, err)
		if ended == nil {
			return attempt, nil
		}
		if failure != nil && ended.Kind == Throttled {
			return got, failure // the failure of the try before is more useful than that the rate limit did not allow a retry
		}
		got, failure = attempt, ended
		if !retryable(req.method, got, failure) {
			return got, failure
		}
		// Prism Central may have been replaced by one that does not have this version. A write keeps its path, because its request ID
		// belongs to the path, and is not retried after a 404.
		unknownPath := got.status == http.StatusNotFound
		if unknownPath {
			conn.versions.of(req.namespace).forget(versionDoubt)
		}
		if try == limits.Tries || !pause(ctx, try, failure.RetryAfter) {
			return got, failure
		}
		if !unknownPath {
			continue
		}
		if req.url, err = c.url(ctx, conn, req); err != nil {
			return got, failure
		}
	}
}

// url returns the URL of a request in the negotiated version.
func (c *Client) url(ctx context.Context, conn *connection, req request) (string, error) {
	version, err := c.version(ctx, conn, req.namespace)
	if err != nil {
		return "", err
	}
	address := conn.base + "/api/" + req.namespace + "/" + version + req.path
	if len(req.query) > 0 {
		address += "?" + req.query.Encode()
	}
	return address, nil
}

// judge returns the error of an attempt, or nil if it was successful.
func judge(conn *connection, req request, got response, err error) *Error {
	if err != nil {
		return unreachable(req.operation, err)
	}
	return classify(req, got, conn.secrets)
}

func unreachable(operation string, cause error) *Error {
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err
	}
	kind := Unavailable
	if limited := (*rateLimitError)(nil); errors.As(cause, &limited) {
		kind = Throttled
	}
	return &Error{Operation: operation, Kind: kind, Cause: cause}
}

// retryable reports whether to send a request again. Reads are retried after every transient failure. Writes are retried if the response
// was lost, or if Prism Central did not accept them.
func retryable(method string, got response, failure *Error) bool {
	var untrusted *tls.CertificateVerificationError
	if failure.Kind != Unavailable || errors.As(failure.Cause, &untrusted) {
		return false
	}
	if method == http.MethodGet {
		return true
	}
	switch got.status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// pause waits before the next try. It returns false if there is no time for another try.
func pause(ctx context.Context, try int, retryAfter time.Duration) bool {
	wait := firstPause << (try - 1)
	wait += rand.N(wait / 4) //nolint:gosec // distributes requests over time
	if retryAfter > maxPause {
		return false
	}
	wait = max(wait, retryAfter)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	return sleep(ctx, wait) == nil
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a request once. If its session has ended, Prism Central has not executed it, and send sends it again with the credentials.
func (c *Client) send(ctx context.Context, conn *connection, req request) (response, error) {
	got, sent, err := c.exchange(ctx, conn, req, true)
	if err != nil || got.status != http.StatusUnauthorized || len(sent) == 0 {
		return got, err
	}
	conn.session.Refused(sent)
	got, _, err = c.exchange(ctx, conn, req, false)
	return got, err
}

func (c *Client) exchange(ctx context.Context, conn *connection, req request, mayUseSession bool) (response, session.Sent, error) {
	if err := c.wait(ctx, c.limits()); err != nil {
		return response{}, nil, fmt.Errorf("waiting for the rate limit: %w", err)
	}
	out, err := http.NewRequestWithContext(ctx, req.method, req.url, bytes.NewReader(req.body))
	if err != nil {
		return response{}, nil, err
	}
	out.Header.Set("Accept", "application/json")
	out.Header.Set("User-Agent", c.options.UserAgent)
	out.Header.Set(requestIDHeader, req.id)
	if req.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	if req.ifMatch != "" {
		out.Header.Set(ifMatchHeader, req.ifMatch)
	}
	var sent session.Sent
	if conn.session != nil {
		sent = conn.session.Authenticate(out, mayUseSession)
	}
	got, err := c.read(conn, req, out)
	return got, sent, err
}

func (c *Client) read(conn *connection, req request, out *http.Request) (response, error) {
	label := cmp.Or(req.label, req.operation)
	started := time.Now()
	resp, err := conn.http.Do(out)
	if err != nil {
		c.options.ObserveRequest(label, 0, started)
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err == nil && len(body) > maxResponse {
		err = fmt.Errorf("the response is longer than %d bytes", maxResponse)
	}
	if err != nil {
		c.options.ObserveRequest(label, 0, started)
		return response{}, fmt.Errorf("reading the response (HTTP %d): %w", resp.StatusCode, err)
	}
	c.options.ObserveRequest(label, resp.StatusCode, started)
	if conn.session != nil {
		conn.session.Learn(resp)
	}
	return response{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// retryAfter returns the value of the header Retry-After, which contains seconds or a date (RFC 9110, 10.2.3). It returns 0 if the header is
// missing or invalid.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	const day = 24 * 60 * 60
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), day)) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(date.Sub(now), 0), day*time.Second)
	}
	return 0
}
