// Package prism asks Prism Central what has to be known outside Terraform: the UUID behind a name, whether a VM exists,
// which GPUs are free. It also resolves how a NutanixCluster reaches Prism Central (Resolver).
//
// It speaks the v3 API over a transport of its own instead of through prism-go-client, whose v3 client takes answers with
// an error status and an unknown body for success, tells a 401 or a 429 only by text, shares its session without a lock
// and, when it is made, replaces the TLS settings of http.DefaultTransport for the whole process. The tests hold both
// to the same answers.
package prism

import (
	"context"
	"net/http"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// requestTimeout is the longest time for one request and its answer.
const requestTimeout = 60 * time.Second

// Upstream says where Prism Central is and as whom it is addressed. It is the type that gateway.RunOptions takes.
type Upstream = transport.Upstream

// Options of a Client.
type Options struct {
	// QPS and Burst limit the requests per second. QPS 0 means no limit.
	QPS   float32
	Burst int
}

// Client asks one Prism Central. It is safe for concurrent use, keeps its connections and its session, and repeats
// nothing: callers reconcile again (Retryable).
type Client struct {
	address   string
	transport *transport.Transport
	http      *http.Client
}

// New returns the client of an upstream. It sends nothing.
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
			// A redirect would carry the request to a place that nobody verified.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Ping says whether Prism Central answers and accepts the credentials.
func (c *Client) Ping(ctx context.Context) error {
	var page listReply[struct{}]
	return c.post(ctx, "clusters/list", listRequest{Kind: "cluster", Length: 1}, &page)
}

// Close closes the idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
}
