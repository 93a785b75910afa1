package nutanix

import (
	"strings"

	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

// Endpoint is the address of a Prism Central with its credentials (see prismv4.Endpoint).
type Endpoint = prismv4.Endpoint

// Limits limit the requests of a Client (see prismv4.Limits).
type Limits = prismv4.Limits

// Error is an error of Prism Central (see prismv4.Error).
type Error = prismv4.Error

// Kind is the kind of an error (see prismv4.Kind).
type Kind = prismv4.Kind

// Kinds of errors (see prismv4.Kind).
const (
	NotFound     = prismv4.NotFound
	Unauthorized = prismv4.Unauthorized
	Forbidden    = prismv4.Forbidden
	Invalid      = prismv4.Invalid
	Conflict     = prismv4.Conflict
	Stale        = prismv4.Stale
	Exhausted    = prismv4.Exhausted
	Unavailable  = prismv4.Unavailable
	Throttled    = prismv4.Throttled
)

// KindOf returns the kind of an error (see prismv4.KindOf).
func KindOf(err error) Kind { return prismv4.KindOf(err) }

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return prismv4.Is(err, kind) }

// Options configures a Client. Only Endpoint and Limits can be set.
type Options = prismv4.Options

// Client is the API of one Prism Central. It is safe for concurrent use.
type Client struct{ prism *prismv4.Client }

var _ API = (*Client)(nil)

// New returns a client. It sends no request.
func New(options Options) *Client {
	registerMetrics()
	options.UserAgent = "capnt-ccm"
	options.RateLimit = "the cloud controller manager's own rate limit (client.requestsPerSecond and client.burst)"
	options.ObserveRequest, options.ObserveTask = observeRequest, observeTask
	return &Client{prismv4.New(options)}
}

// lower returns a UUID in lower case, which is the format of all UUIDs in this package.
func lower(text *string) string { return strings.ToLower(ptr.Deref(text, "")) }
