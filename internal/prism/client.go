// Package prism reads the data from Prism Central that the controllers need outside of Terraform: the UUID for a name, the
// existence of a VM, free GPUs. Its Resolver returns the connection of a NutanixCluster to Prism Central.
//
// It uses the v3 API with its own transport instead of the v3 client of prism-go-client. That client treats responses with an
// error status and an unknown body as success, reports a 401 or a 429 only as text, shares its session without a lock, and
// replaces the TLS settings of http.DefaultTransport for the whole process. Tests check that both clients parse the same responses
// in the same way.
package prism

import (
	"context"
	"net/http"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// requestTimeout limits the time from the start of a request to the end of its response.
const requestTimeout = 60 * time.Second

// Upstream contains the address of a Prism Central and its credentials. gateway.RunOptions has the same type.
type Upstream = transport.Upstream

// Options configure a Client.
type Options struct {
	// QPS and Burst limit the requests per second. QPS 0 means no limit.
	QPS   float32
	Burst int
}

// Client reads from one Prism Central. It is safe for concurrent use and reuses its connections and its session. It does not retry
// requests, because the next reconcile does (see Retryable).
type Client struct {
	address   string
	transport *transport.Transport
	http      *http.Client
}

// New returns a client for an upstream. It sends no request.
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
			// After a redirect the request would go to an unverified server.
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
