// Package prism reads from Prism Central what the controllers need outside of Terraform: the UUID of a name, whether a VM
// exists, which GPUs are free. Its Resolver returns the connection of a NutanixCluster to Prism Central.
//
// It uses the v3 API with its own transport instead of the v3 client of prism-go-client. That client treats responses with an
// error status and an unknown body as success, reports a 401 or a 429 only as text, shares its session without a lock, and
// replaces the TLS settings of http.DefaultTransport for the whole process. Tests check that both clients read the same
// responses in the same way.
package prism

import (
	"context"
	"net/http"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// requestTimeout limits one request and its response.
const requestTimeout = 60 * time.Second

// Upstream is the address of a Prism Central and the credentials for it. gateway.RunOptions has the same type.
type Upstream = transport.Upstream

// Options of a Client.
type Options struct {
	// QPS and Burst limit the requests per second. QPS 0 means no limit.
	QPS   float32
	Burst int
}

// Client reads from one Prism Central. It is safe for concurrent use and keeps its connections and its session. It does not
// retry: callers reconcile again (Retryable).
type Client struct {
	address   string
	transport *transport.Transport
	http      *http.Client
}

// New returns the client of an upstream. It sends no request.
func New(upstream Upstream, options Options) (*Client, error) {
	roundTripper, err := transport.New(upstream, transport.Options{QPS: options.QPS, Burst: options.Burst})
	if err != nil {
		return nil, err
	}
	return &Client{
		address:   upstream.Address,
		transport: roundTripper,
		http: &http.Client{
			Transport: roundTripper,
			Timeout:   requestTimeout,
			// A redirect would send the request to an unverified server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Ping returns an error unless Prism Central responds and accepts the credentials.
func (c *Client) Ping(ctx context.Context) error {
	var page listResponse[struct{}]
	return c.post(ctx, "clusters/list", listRequest{Kind: "cluster", Length: 1}, &page)
}

// Close closes the idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
}
