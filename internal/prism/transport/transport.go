package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/capnt/capnt/internal/session"
)

const (
	dialTimeout = 10 * time.Second
	// responseTimeout limits the wait for the response to a request. The provider itself has no such timeout.
	responseTimeout = 90 * time.Second
	// callTimeout limits a call, from sending the request to the end of the response. It also ends a call whose response never ends.
	callTimeout = 2 * time.Minute
	// idleTimeout is the time after which an idle connection is closed. It is short, so that Prism Central rarely closes a connection at the
	// moment when a request reuses it. A write that fails for this reason cannot be retried.
	idleTimeout     = 30 * time.Second
	maxIdlePerHost  = 32
	maxDiscardBytes = 64 << 10
)

// Options configures a Transport.
type Options struct {
	// QPS and Burst limit the requests per second to the upstream. Retries are counted, too. If QPS is zero, there is no limit.
	QPS   float32
	Burst int
	// Upstreams is shared with other transports, so that all of them together send refused credentials rarely and know which servers respond.
	// If it is nil, the transport has its own.
	Upstreams *Upstreams
	// CallTimeout limits a call, from sending the request to the end of the response. Zero means two minutes.
	CallTimeout time.Duration
}

// Transport is an http.RoundTripper for one upstream. It replaces the host, the credentials and the cookies of every request. It never
// retries a write.
type Transport struct {
	upstream    Upstream
	base        *http.Transport
	limiter     *rate.Limiter
	session     *session.Session
	login       *login
	server      *server
	callTimeout time.Duration
}

// New returns a transport for an upstream. It sends no request. It returns an error if the upstream is incomplete or its trust bundle
// cannot be parsed.
func New(upstream Upstream, options Options) (*Transport, error) {
	if err := upstream.validate(); err != nil {
		return nil, err
	}
	roots, err := trusted(upstream.CABundle)
	if err != nil {
		return nil, fmt.Errorf("trusting Prism Central %s: %w", upstream.Address, err)
	}
	limit := rate.Inf
	if options.QPS > 0 {
		limit = rate.Limit(options.QPS)
	}
	upstreams := options.Upstreams
	if upstreams == nil {
		upstreams = NewUpstreams(time.Now)
	}
	return &Transport{
		upstream:    upstream,
		callTimeout: cmp.Or(options.CallTimeout, callTimeout),
		login:       upstreams.login(upstream),
		server:      upstreams.server(upstream),
		limiter:     rate.NewLimiter(limit, max(options.Burst, 1)),
		session:     session.New(session.Credentials{Username: upstream.Username, Password: upstream.Password, APIKey: upstream.APIKey}, time.Now),
		base: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			TLSClientConfig: &tls.Config{
				MinVersion:         tls.VersionTLS12,
				RootCAs:            roots,
				InsecureSkipVerify: upstream.Insecure, //nolint:gosec // set by the user: spec.prismCentral.insecure
			},
			MaxIdleConns:          maxIdlePerHost,
			MaxIdleConnsPerHost:   maxIdlePerHost,
			IdleConnTimeout:       idleTimeout,
			ResponseHeaderTimeout: responseTimeout,
			// Compression is disabled, so that the transport passes on bodies unchanged.
			DisableCompression: true,
		},
	}, nil
}

// RoundTrip implements http.RoundTripper. If it returns a *CertificateError or a *CredentialsRefusedError, the request was not sent.
//
// RoundTrip sends retryable requests with the session cookie from an earlier response, so that Prism Central does not have to
// authenticate each request. If the session has expired and the status is 401, RoundTrip sends the request again with the credentials.
// RoundTrip sends writes only with the credentials, because writes must not be sent twice.
//
// If Prism Central has refused the credentials, RoundTrip sends them again only after a pause. Until then it returns a
// *CredentialsRefusedError.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, sent, err := t.send(req, IsRetryable(req) && hasReplayableBody(req))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || len(sent) == 0 {
		return resp, err
	}
	t.session.Refused(sent)
	t.login.doubt()
	_, _ = io.CopyN(io.Discard, resp.Body, maxDiscardBytes)
	_ = resp.Body.Close()
	again, err := CloneWithBody(req)
	if err != nil {
		return nil, fmt.Errorf("retrying a request whose session has expired: %w", err)
	}
	resp, _, err = t.send(again, false)
	return resp, err
}

// CloseIdleConnections closes the connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	t.base.CloseIdleConnections()
}

// Refused returns a *CredentialsRefusedError if Prism Central has refused the credentials and the next login is not due.
func (t *Transport) Refused() error { return t.login.refused() }

// send sends req once. If mayUseSession is true and a session is open, it uses the session and returns it. Otherwise it uses the
// credentials.
func (t *Transport) send(req *http.Request, mayUseSession bool) (*http.Response, session.Sent, error) {
	out := t.outgoing(req)
	sent := t.session.Authenticate(out, mayUseSession)
	if len(sent) > 0 {
		resp, err := t.roundTrip(out)
		return resp, sent, err
	}
	attempt, err := t.login.begin(req.Context())
	if err != nil {
		return nil, nil, err
	}
	out = t.outgoing(req)
	sent = t.session.Authenticate(out, mayUseSession) // the request for which begin has waited may have opened a session
	resp, err := t.roundTrip(out)
	status := 0
	// Prism Central may respond to OPTIONS without checking the credentials.
	if err == nil && len(sent) == 0 && (req.Method != http.MethodOptions || resp.StatusCode == http.StatusUnauthorized) {
		status = resp.StatusCode
	}
	t.login.end(attempt, status)
	return resp, sent, err
}

// roundTrip sends a request that has been authenticated.
func (t *Transport) roundTrip(out *http.Request) (*http.Response, error) {
	if err := t.wait(out.Context()); err != nil {
		return nil, fmt.Errorf("waiting for the rate limit of Prism Central %s: %w", t.upstream.Address, err)
	}
	ctx, cancel := context.WithTimeout(out.Context(), t.callTimeout)
	sent := time.Now()
	resp, err := t.base.RoundTrip(out.WithContext(ctx))
	if err == nil || ctx.Err() == nil && !IsTimeout(err) {
		t.server.responded(time.Since(sent))
	}
	if err != nil {
		cancel()
		if certificate := asCertificateError(t.upstream.Address, err); certificate != nil {
			return nil, certificate
		}
		return nil, err
	}
	t.session.Learn(resp)
	resp.Body = &limitedBody{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

type unlimited struct{}

// WithoutRateLimit returns a context for requests that do not count against Options.QPS. It is for rare sequences of requests that replace
// many others.
func WithoutRateLimit(ctx context.Context) context.Context {
	return context.WithValue(ctx, unlimited{}, true)
}

// wait waits until the rate limit allows a request.
func (t *Transport) wait(ctx context.Context) error {
	if ctx.Value(unlimited{}) != nil {
		return nil
	}
	return t.limiter.Wait(ctx)
}

// limitedBody ends the timeout of a call when the response has been read.
type limitedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// outgoing returns a copy of req with the address of the upstream and without credentials.
func (t *Transport) outgoing(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Scheme = "https"
	out.URL.Host = t.upstream.Address
	out.Host = t.upstream.Address
	for _, header := range []string{"Authorization", "Cookie", session.APIKeyHeader} {
		out.Header.Del(header)
	}
	return out
}

// IsTimeout reports whether RoundTrip returned err because the upstream did not respond in time.
func IsTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
