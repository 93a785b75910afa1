package nutanix

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Endpoint is where Prism Central is and how to be let in.
type Endpoint struct {
	// Address is a host name or IP address; Port 0 is 9440.
	Address string
	Port    int
	// Insecure believes every certificate. TrustBundle (PEM) is believed beside the system's roots.
	Insecure    bool
	TrustBundle []byte
	// APIKey is used when it is there, Username and Password otherwise.
	Username, Password, APIKey string
}

func (e Endpoint) equal(other Endpoint) bool {
	return e.Address == other.Address && e.Port == other.Port && e.Insecure == other.Insecure &&
		e.Username == other.Username && e.Password == other.Password && e.APIKey == other.APIKey &&
		bytes.Equal(e.TrustBundle, other.TrustBundle)
}

// Limits bound what is asked of Prism Central. Zero values mean the defaults.
type Limits struct {
	// Timeout bounds one request together with its repetitions and with waiting for its turn. Default: 30s. A list asks one
	// request for each page of 100.
	Timeout time.Duration
	// TaskTimeout bounds waiting for the task of a change. Default: 2m.
	TaskTimeout time.Duration
	// RequestsPerSecond and Burst limit requests of all kinds, repetitions included. Defaults: 10 and 20.
	RequestsPerSecond float64
	Burst             int
}

// Defaults of Limits.
const (
	defaultTimeout           = 30 * time.Second
	defaultTaskTimeout       = 2 * time.Minute
	defaultRequestsPerSecond = 10
	defaultBurst             = 20
)

func (l Limits) withDefaults() Limits {
	if l.Timeout <= 0 {
		l.Timeout = defaultTimeout
	}
	if l.TaskTimeout <= 0 {
		l.TaskTimeout = defaultTaskTimeout
	}
	if l.RequestsPerSecond <= 0 {
		l.RequestsPerSecond = defaultRequestsPerSecond
	}
	if l.Burst <= 0 {
		l.Burst = defaultBurst
	}
	return l
}

// Options of a Client. Both functions are called for every request, so that what they give takes effect at once.
type Options struct {
	Endpoint func(context.Context) (Endpoint, error)
	// Limits may be nil.
	Limits func() Limits
}

// Client is the API of one Prism Central. It is safe for concurrent use.
type Client struct {
	options Options
	limiter *rate.Limiter

	mu         sync.Mutex
	connection *connection
	// refusals are the attributes that Prism Central does not filter by, and since when that is known.
	refusals map[string]time.Time
}

var _ API = (*Client)(nil)

// New gives a client. It sends nothing.
func New(options Options) *Client {
	registerMetrics()
	return &Client{
		options: options, limiter: rate.NewLimiter(defaultRequestsPerSecond, defaultBurst), refusals: map[string]time.Time{},
	}
}

func (c *Client) limits() Limits {
	var limits Limits
	if c.options.Limits != nil {
		limits = c.options.Limits()
	}
	return limits.withDefaults()
}

// errThrottled is about ourselves: it says nothing of Prism Central.
var errThrottled = errors.New(
	"the cloud controller manager's own rate limit (client.requestsPerSecond and client.burst) is used up; it is tried again")

// awaitTurn waits until the rate limit lets one more request pass. It does not wait if that would be after the end of the
// context. Time that was up before, or a caller that is gone, is not the limit's doing.
func (c *Client) awaitTurn(ctx context.Context, limits Limits) error {
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
		return errThrottled
	}
	return err
}

// connect gives the connection to the endpoint of now. A changed endpoint gets a new one, which knows nothing of the
// sessions and versions of the old one.
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
	next, err := newConnection(endpoint)
	if err != nil {
		return nil, err
	}
	if c.connection != nil {
		c.connection.http.CloseIdleConnections()
	}
	c.connection, c.refusals = next, map[string]time.Time{}
	return next, nil
}
