package transport

import (
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
	// responseTimeout limits the wait for the response to a request. The provider itself has no timeout.
	responseTimeout = 90 * time.Second
	// idleTimeout is short, so that a connection is rarely reused while Prism Central closes it. A write on such a connection
	// fails and cannot be retried.
	idleTimeout     = 30 * time.Second
	maxIdlePerHost  = 32
	maxDiscardBytes = 64 << 10
)

// Options configure a Transport. Zero values mean no limit.
type Options struct {
	// QPS and Burst limit the requests per second to the upstream, including retries.
	QPS   float32
	Burst int
}

// Transport is an http.RoundTripper for one upstream. It replaces the host, the credentials and the cookies of every request
// with those of the upstream. It never retries a write.
type Transport struct {
	upstream Upstream
	base     *http.Transport
	limiter  *rate.Limiter
	session  *session.Session
}

// New returns a transport for an upstream. It sends no request. It returns an error for an upstream that is incomplete or whose
// trust bundle cannot be parsed.
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
	return &Transport{
		upstream: upstream,
		limiter:  rate.NewLimiter(limit, max(options.Burst, 1)),
		session:  session.New(session.Credentials{Username: upstream.Username, Password: upstream.Password, APIKey: upstream.APIKey}, time.Now),
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
			// Bodies are passed on unchanged.
			DisableCompression: true,
		},
	}, nil
}

// RoundTrip implements http.RoundTripper. A *CertificateError means that the request was not sent.
//
// Retryable requests carry the session cookie of an earlier response, so that Prism Central does not authenticate each of them.
// After a 401 for an expired session, RoundTrip sends the request again with the credentials. Writes always carry the credentials,
// because they must not be sent twice.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, sent, err := t.send(req, IsRetryable(req) && hasReplayableBody(req))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || len(sent) == 0 {
		return resp, err
	}
	t.session.Refused(sent)
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

// send sends req once. It returns the session that req was sent with, if mayUseSession is true and a session is known.
func (t *Transport) send(req *http.Request, mayUseSession bool) (*http.Response, session.Sent, error) {
	if err := t.limiter.Wait(req.Context()); err != nil {
		return nil, nil, fmt.Errorf("waiting for the rate limit of Prism Central %s: %w", t.upstream.Address, err)
	}
	out := t.outgoing(req)
	sent := t.session.Authenticate(out, mayUseSession)
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		if certificate := asCertificateError(t.upstream.Address, err); certificate != nil {
			return nil, nil, certificate
		}
		return nil, nil, err
	}
	t.session.Learn(resp)
	return resp, sent, nil
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

// IsTimeout reports whether an error of RoundTrip means that the upstream did not respond in time.
func IsTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
