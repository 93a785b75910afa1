// Package prism reads data from Prism Central that the controllers need outside of Terraform. Examples are the UUID for a name, the
// existence of a VM and the free GPUs. A Resolver returns the connection of a NutanixCluster to Prism Central.
//
// A Client reads through the v3 API or through the v4 API (Options.API). Both return the same types and errors. Requests to the v4 API are sent
// with internal/prismv4.
//
// The package sends v3 requests with its own transport and not with the v3 client of prism-go-client, because that client has several
// problems. It treats a response with an error status and an unknown body as success. It reports a 401 or a 429 only as text. It shares
// its session without a lock. It replaces the TLS settings of http.DefaultTransport for the whole process. Tests check that both clients
// parse responses in the same way.
package prism

import (
	"context"
	"net/http"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// requestTimeout limits the time from the start of a request until its response has been read.
const requestTimeout = 60 * time.Second

// Upstream contains the address of a Prism Central and the credentials for it. It is the same type as in gateway.RunOptions.
type Upstream = transport.Upstream

// Options configures a Client.
type Options struct {
	// QPS and Burst limit the requests per second. If QPS is 0, there is no limit.
	QPS   float32
	Burst int
	// Upstreams is shared with the gateway, so that refused credentials are rarely sent. If it is nil, each Client has its own.
	Upstreams *transport.Upstreams
	// API is the generation of the API through which the Client reads. If it is empty, V3 is used.
	API Generation
	// Now returns the current time. If it is nil, time.Now is used.
	Now func() time.Time
}

// Client reads data from one Prism Central. It is safe for concurrent use and reuses its connections and its session. It does not retry
// requests, because the next reconcile tries again (see Retryable).
//
// Versions and look-ups of the entities that a spec names (Image, ImageLookup, Subnet, PrismElement, Project, Category, StorageContainer, GPUs,
// GPUModels) are cached for a few seconds, and concurrent ones share a request. All other methods except ListedVM always send a request of
// their own.
//
// If Prism Central does not respond to any request for four seconds, all methods but the one that waits longest return a
// *NotRespondingError, until Prism Central responds. So one Prism Central that never responds does not occupy all workers of the
// reconcilers. Calls with a context of WithoutFailFast wait for their response.
type Client struct {
	address   string
	transport *transport.Transport
	http      *http.Client
	api       api
	snapshot  vmSnapshot
	cache     cache
}

// New returns a client for an upstream. It sends no request.
func New(upstream Upstream, options Options) (*Client, error) {
	roundTripper, err := transport.New(upstream, transport.Options{QPS: options.QPS, Burst: options.Burst, Upstreams: options.Upstreams})
	if err != nil {
		return nil, err
	}
	now := options.Now
	if now == nil {
		now = time.Now
	}
	c := &Client{
		address:   upstream.Address,
		transport: roundTripper,
		cache:     cache{now: now, responses: map[string]response{}},
		http: &http.Client{
			Transport: roundTripper,
			Timeout:   requestTimeout,
			// Redirects are not followed, because they would send the request to a server that was not verified.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.api = apiV3{c}
	if options.API == V4 {
		c.api = newV4(c, upstream)
	}
	return c, nil
}

// Ping returns nil if Prism Central responds and accepts the credentials.
func (c *Client) Ping(ctx context.Context) error {
	return c.api.ping(ctx)
}

// WithoutFailFast returns a context for calls that do not fail early if Prism Central does not respond. It is for calls outside of
// reconciles, which occupy no worker of a reconciler.
func WithoutFailFast(ctx context.Context) context.Context { return transport.WithoutFailFast(ctx) }

// begin begins a call (see transport.Begin). The caller calls end when the call has ended.
func (c *Client) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	return c.transport.Begin(ctx, c.Ping)
}

// Close closes the idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
}
