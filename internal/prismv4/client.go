// Package prismv4 sends requests to the v4 API of a Prism Central. It negotiates versions, reads complete lists, waits for tasks, retries
// requests and classifies errors. It knows no kind of object: callers pass the path and the model, usually one of the official SDKs.
//
// The context and Limits both limit every function. Errors are of type *Error (see KindOf).
package prismv4

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Endpoint is the address of a Prism Central, the settings to verify its certificate, and the credentials.
type Endpoint struct {
	// Address is a host name or IP address; Port 0 is 9440.
	Address string
	Port    int
	// Insecure disables the verification of the certificate. TrustBundle contains PEM certificates that are trusted in addition to the
	// root certificates of the system.
	Insecure    bool
	TrustBundle []byte
	// APIKey takes precedence over Username and Password.
	Username, Password, APIKey string
}

func (e Endpoint) equal(other Endpoint) bool {
	return e.Address == other.Address && e.Port == other.Port && e.Insecure == other.Insecure &&
		e.Username == other.Username && e.Password == other.Password && e.APIKey == other.APIKey &&
		bytes.Equal(e.TrustBundle, other.TrustBundle)
}

// Limits are the limits for requests. Zero values are replaced by the defaults.
type Limits struct {
	// Timeout limits one request, including its retries and the wait for the rate limit. Default: 30s. A list sends one request for each
	// page of 100.
	Timeout time.Duration
	// TaskTimeout limits the wait for the task of a change. Default: 2m.
	TaskTimeout time.Duration
	// RequestsPerSecond and Burst limit all requests, including retries. Defaults: 10 and 20.
	RequestsPerSecond float64
	Burst             int
	// Tries is how often one request is sent at most. Default: 3.
	Tries int
}

// Defaults of Limits.
const (
	defaultTimeout           = 30 * time.Second
	defaultTaskTimeout       = 2 * time.Minute
	defaultRequestsPerSecond = 10
	defaultBurst             = 20
	defaultTries             = 3
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Timeout:           cmp.Or(max(l.Timeout, 0), defaultTimeout),
		TaskTimeout:       cmp.Or(max(l.TaskTimeout, 0), defaultTaskTimeout),
		RequestsPerSecond: cmp.Or(max(l.RequestsPerSecond, 0), defaultRequestsPerSecond),
		Burst:             cmp.Or(max(l.Burst, 0), defaultBurst),
		Tries:             cmp.Or(max(l.Tries, 0), defaultTries),
	}
}

// Options configures a Client. Endpoint and Limits are called for every request, so that a change takes effect immediately.
type Options struct {
	Endpoint func(context.Context) (Endpoint, error)
	// Limits may be nil.
	Limits func() Limits
	// RoundTripper, if set, verifies the certificate, authenticates the requests and limits their rate. If it is nil, the client does so.
	RoundTripper http.RoundTripper
	UserAgent    string
	// RateLimit describes the rate limit and its settings in errors, for example "the rate limit (qps)".
	RateLimit string
	// ObserveRequest is called after each HTTP request. status is 0 if there was no response. ObserveTask is called when the wait for a task
	// ends. Both may be nil.
	ObserveRequest func(operation string, status int, started time.Time)
	ObserveTask    func(operation string, started time.Time)
}

// Client is a client for one Prism Central. It is safe for concurrent use.
type Client struct {
	options Options
	limiter *rate.Limiter

	mu         sync.Mutex
	connection *connection
	// refusals maps the attributes for which Prism Central rejected a filter to the time of the rejection.
	refusals map[string]time.Time
}

// New returns a client. It sends no request.
func New(options Options) *Client {
	if options.Limits == nil {
		options.Limits = func() Limits { return Limits{} }
	}
	if options.ObserveRequest == nil {
		options.ObserveRequest = func(string, int, time.Time) {}
	}
	if options.ObserveTask == nil {
		options.ObserveTask = func(string, time.Time) {}
	}
	return &Client{
		options: options, limiter: rate.NewLimiter(defaultRequestsPerSecond, defaultBurst), refusals: map[string]time.Time{},
	}
}

func (c *Client) limits() Limits { return c.options.Limits().withDefaults() }

// rateLimitError means that the rate limit of this process did not allow a request. The request was not sent.
type rateLimitError struct{ limit string }

func (e *rateLimitError) Error() string { return e.limit + " is used up; it is tried again" }

// wait waits until the rate limit allows a request. It returns a *rateLimitError at once if the context ends before that. It returns the
// error of the context if the context has already ended or is canceled.
func (c *Client) wait(ctx context.Context, limits Limits) error {
	if c.options.RoundTripper != nil {
		return nil
	}
	if limit := rate.Limit(limits.RequestsPerSecond); c.limiter.Limit() != limit {
		c.limiter.SetLimit(limit)
	}
	if c.limiter.Burst() != limits.Burst {
		c.limiter.SetBurst(limits.Burst)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := c.limiter.Wait(ctx)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return &rateLimitError{c.options.RateLimit}
	}
	return err
}

// connect returns the connection for the current endpoint. If the endpoint has changed, it is a new connection without the session and the
// versions of the old one.
func (c *Client) connect(ctx context.Context) (*connection, error) {
	endpoint, err := c.options.Endpoint(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil && c.connection.endpoint.equal(endpoint) {
		return c.connection, nil
	}
	next, err := newConnection(endpoint, c.options.RoundTripper)
	if err != nil {
		return nil, err
	}
	if c.connection != nil {
		c.connection.http.CloseIdleConnections()
	}
	c.connection, c.refusals = next, map[string]time.Time{}
	return next, nil
}
