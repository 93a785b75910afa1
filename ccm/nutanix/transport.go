package nutanix

import (
	"bytes"
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
	userAgent       = "capnt-ccm"
	// maxAnswer is the largest body that is read: a page of 100 virtual machines has about 1 MB.
	maxAnswer = 64 << 20
	// maxTries bounds how often one request is sent.
	maxTries = 3
	// firstPause is the pause before the second try, doubled for each further one and lengthened by up to a quarter.
	firstPause = 200 * time.Millisecond
	// maxPause is the longest wait that Retry-After can ask for; if it asks for more, the caller is told so instead.
	maxPause = 10 * time.Second
)

// request is one request of the v4 API.
type request struct {
	// operation is for errors and metrics; label, if there is one, replaces it in metrics.
	operation, label  string
	method, namespace string
	// path is below /api/<namespace>/<version>, with escaped segments.
	path    string
	query   url.Values
	body    []byte
	ifMatch string
	// object is the UUID of what the request is about, if it is about one object.
	object string

	id, url string
}

// answer is what came back, read to the end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// isJSON reports whether the answer can be Prism Central's own. A proxy's error page is text/html.
func (a answer) isJSON() bool {
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// do sends a request and gives its answer if that is a success in JSON. All tries carry the same NTNX-Request-Id, by which
// Prism Central knows a repetition of what it has already done. Errors are *Error.
func (c *Client) do(ctx context.Context, req request) (answer, error) {
	limits := c.limits()
	ctx, cancel := context.WithTimeout(ctx, limits.Timeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return answer{}, unreachable(req.operation, fmt.Errorf("reading where Prism Central is: %w", err))
	}
	req.id = uuid.NewString()
	if req.url, err = c.url(ctx, conn, req); err != nil {
		return answer{}, unreachable(req.operation, err)
	}
	var got answer
	var failure *Error
	for try := 1; ; try++ {
		attempt, err := c.send(ctx, conn, req)
		ended := judge(conn, req, attempt, err)
		if ended == nil {
			return attempt, nil
		}
		if failure != nil && ended.Kind == Throttled {
			return got, failure // what Prism Central did counts, and not that there was no turn to ask again
		}
		got, failure = attempt, ended
		if try == maxTries || !repeatable(req.method, got, failure) || !pause(ctx, try, failure.RetryAfter) {
			return got, failure
		}
		if got.status != http.StatusNotFound {
			continue
		}
		// Only a read is repeated after a 404. Perhaps that was not a proxy: this Prism Central does not know the version, which
		// was assumed, or is of the one before it. A write keeps its path: the identifier belongs to it.
		conn.versions.of(req.namespace).forget(versionDoubt)
		if req.url, err = c.url(ctx, conn, req); err != nil {
			return got, failure
		}
	}
}

// url gives the address of a request in the version of now.
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

// judge gives the error that an attempt ended with, nil for a success.
func judge(conn *connection, req request, got answer, err error) *Error {
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
	if errors.Is(cause, errThrottled) {
		kind = Throttled
	}
	return &Error{Operation: operation, Kind: kind, Cause: cause}
}

// repeatable says whether to send a request again. Reads are repeated after every passing fault. Writes are when the reply
// was lost on the way, or when Prism Central did not take them.
func repeatable(method string, got answer, failure *Error) bool {
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

// pause waits before the next try. It reports false when there is no time for one.
func pause(ctx context.Context, try int, retryAfter time.Duration) bool {
	wait := firstPause << (try - 1)
	wait += rand.N(wait / 4) //nolint:gosec // spreads requests, hides nothing
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

// send sends a request once, or a second time with the credentials if the session that was used has ended: then nothing was
// done for the first.
func (c *Client) send(ctx context.Context, conn *connection, req request) (answer, error) {
	got, sent, err := c.exchange(ctx, conn, req, true)
	if err != nil || got.status != http.StatusUnauthorized || len(sent) == 0 {
		return got, err
	}
	conn.session.Refused(sent)
	got, _, err = c.exchange(ctx, conn, req, false)
	return got, err
}

func (c *Client) exchange(ctx context.Context, conn *connection, req request, mayUseSession bool) (answer, session.Sent, error) {
	if err := c.awaitTurn(ctx, c.limits()); err != nil {
		return answer{}, nil, fmt.Errorf("waiting for a turn: %w", err)
	}
	out, err := http.NewRequestWithContext(ctx, req.method, req.url, bytes.NewReader(req.body))
	if err != nil {
		return answer{}, nil, err
	}
	out.Header.Set("Accept", "application/json")
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set(requestIDHeader, req.id)
	if req.body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	if req.ifMatch != "" {
		out.Header.Set(ifMatchHeader, req.ifMatch)
	}
	sent := conn.session.Authenticate(out, mayUseSession)
	got, err := c.read(conn, req, out)
	return got, sent, err
}

func (c *Client) read(conn *connection, req request, out *http.Request) (answer, error) {
	label := req.label
	if label == "" {
		label = req.operation
	}
	started := time.Now()
	resp, err := conn.http.Do(out)
	if err != nil {
		observeRequest(label, 0, started)
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if err != nil {
		observeRequest(label, 0, started)
		return answer{}, fmt.Errorf("reading the answer (HTTP %d): %w", resp.StatusCode, err)
	}
	observeRequest(label, resp.StatusCode, started)
	conn.session.Learn(resp)
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// retryAfter reads the header Retry-After: seconds, or a date (RFC 9110, 10.2.3). 0: there is none that makes sense.
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
