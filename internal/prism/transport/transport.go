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
	// responseTimeout ends a request that Prism Central accepted and never answers; the provider itself has no time-out.
	responseTimeout = 90 * time.Second
	// idleTimeout is short, so that a connection is not reused in the moment in which Prism Central closes it: a write
	// that meets such a connection cannot be repeated.
	idleTimeout     = 30 * time.Second
	maxIdlePerHost  = 32
	discardOnReplay = 64 << 10
)

// Options of a Transport. Zero values mean no limit.
type Options struct {
	// QPS and Burst limit the requests per second to the upstream, sessions and repetitions included.
	QPS   float32
	Burst int
}

// Transport is an http.RoundTripper for one upstream. It sends every request to the upstream's address, whatever host the
// request names, and replaces whatever credentials and cookies it carries by the upstream's own. It never repeats a write.
type Transport struct {
	upstream Upstream
	base     *http.Transport
	limiter  *rate.Limiter
	session  *session.Session
}

// New checks the upstream and its trust bundle and returns its transport. It sends nothing.
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
				InsecureSkipVerify: upstream.Insecure, //nolint:gosec // the user's choice: spec.prismCentral.insecure
			},
			MaxIdleConns:          maxIdlePerHost,
			MaxIdleConnsPerHost:   maxIdlePerHost,
			IdleConnTimeout:       idleTimeout,
			ResponseHeaderTimeout: responseTimeout,
			// Bodies pass as they are.
			DisableCompression: true,
		},
	}, nil
}

// RoundTrip implements http.RoundTripper. A *CertificateError means that nothing was sent.
//
// Requests that can be repeated use the session that Prism Central opened for an earlier one, so that it does not
// authenticate each of them; when the session has ended, the request is repeated once with the credentials. Writes always
// carry the credentials: nothing about them ever has to be repeated.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, sent, err := t.send(req, repeatable(req))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || len(sent) == 0 {
		return resp, err
	}
	t.session.Refused(sent)
	_, _ = io.CopyN(io.Discard, resp.Body, discardOnReplay)
	_ = resp.Body.Close()
	again, err := Again(req)
	if err != nil {
		return nil, fmt.Errorf("repeating a request whose session has ended: %w", err)
	}
	resp, _, err = t.send(again, false)
	return resp, err
}

// CloseIdleConnections closes the connections that carry no request.
func (t *Transport) CloseIdleConnections() {
	t.base.CloseIdleConnections()
}

// send sends req once. It gives the session that was used, if one may be and there is one.
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

// outgoing is req with the address of the upstream and without the credentials that req carried.
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

// IsTimeout says whether an error of RoundTrip means that the upstream did not answer in time.
func IsTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
