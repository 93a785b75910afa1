// Package gateway is a reverse proxy. Each Terraform run sends its requests to Prism Central through the gateway. If the manager stores
// the Terraform state, the run reads and writes the state through the gateway, too.
//
// The gateway serves TLS on a loopback address. Each run gets a Session with a token, which the nutanix provider sends as its password.
// The gateway replaces the token with the real credentials. It forwards requests over one connection pool per Prism Central, which
// verifies the certificate and limits the rate. It guarantees:
//
//   - No environment variable and no file of the child contains the real credentials. The token never reaches Prism Central.
//   - A ReadOnly session forwards no request that could change something.
//   - A KeepPower session forwards no request that could switch a VM on or off or delete it.
//   - A create is recorded (RunOptions.Creates) before it is sent. The UUID or the task in its response is recorded before the response is
//     passed on, even if the child has ended.
//   - A v4 create is sent once per run, although the v4 SDK repeats it, unless it was certainly refused.
//   - Reads are retried within limits after a transient fault. Writes are never retried.
//   - Bodies are passed on unchanged in both directions, except v4 responses at which provider 2.4 would crash (v4error.go, v4task.go).
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/capnt/capnt/internal/prism/transport"
)

// DefaultAddress is the default of Options.Address. Its port is the default port of the provider, because provider 1.9.5 ignores
// NUTANIX_PORT. A second manager on the same host needs another loopback address (127.0.0.2:9440), not another port.
const DefaultAddress = "127.0.0.1:9440"

const (
	defaultShutdownTimeout = 25 * time.Second
	defaultWaitTimeout     = 5 * time.Minute
	readHeaderTimeout      = 10 * time.Second
)

// Options configures a Gateway.
type Options struct {
	// Address is the host:port that the gateway listens on. The host must be a loopback IP address. If Address is empty, DefaultAddress is
	// used.
	Address string
	Log     logr.Logger
	// Registerer registers the metrics capnt_gateway_*. If it is nil, no metrics are registered.
	Registerer prometheus.Registerer
	// QPS and Burst limit the requests per second to each distinct upstream. If QPS is 0, there is no limit.
	QPS   float32
	Burst int
	// Upstreams is shared with the other clients of Prism Central, so that refused credentials are rarely sent. It may be nil.
	Upstreams *transport.Upstreams
	// Retry limits the retries of reads. A field that is zero has a default value.
	Retry Retry
	// RecordRetry limits the retries of RunOptions.Creates. A field that is zero has a default value.
	RecordRetry Retry
	// WaitTimeout is how long the provider waits for a power state or an IP address of a VM. The gateway passes it to the provider in
	// NUTANIX_WAIT_TIMEOUT, as whole minutes and at least one. Zero means 5 minutes. The provider's own default of 1 minute is too short if
	// Prism Central is busy.
	WaitTimeout time.Duration
	// ShutdownTimeout is how long Start continues to serve open sessions after its context has ended, so that an interrupted run can finish
	// its requests. Zero means 25 s, which is slightly less than the shutdown timeout of controller-runtime.
	ShutdownTimeout time.Duration
}

// Gateway forwards the requests of sessions. It implements manager.Runnable and manager.LeaderElectionRunnable of controller-runtime.
type Gateway struct {
	options  Options
	log      logr.Logger
	listener net.Listener
	tls      *tls.Config
	caBundle []byte
	metrics  *metrics
	sessions *registry
	pools    *pools
}

// New creates a gateway that listens on Options.Address. It returns an error if the address is in use, so that the manager does not
// start. Requests are served after Start was called.
func New(options Options) (*Gateway, error) {
	options = withDefaults(options)
	host, err := loopbackHost(options.Address)
	if err != nil {
		return nil, err
	}
	authority, err := newAuthority(host)
	if err != nil {
		return nil, fmt.Errorf("making the gateway's certificate: %w", err)
	}
	metrics, err := newMetrics(options.Registerer)
	if err != nil {
		return nil, fmt.Errorf("registering the gateway's metrics: %w", err)
	}
	listener, err := net.Listen("tcp", options.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for Terraform runs on %s (another manager on this machine needs another loopback address, for example 127.0.0.2:9440): %w", options.Address, err)
	}
	return &Gateway{
		options:  options,
		log:      options.Log.WithName("gateway"),
		listener: listener,
		tls:      authority.serverConfig(),
		caBundle: authority.bundle,
		metrics:  metrics,
		sessions: newRegistry(),
		pools:    newPools(transport.Options{QPS: options.QPS, Burst: options.Burst, Upstreams: options.Upstreams}),
	}, nil
}

func withDefaults(options Options) Options {
	if options.Address == "" {
		options.Address = DefaultAddress
	}
	if options.WaitTimeout == 0 {
		options.WaitTimeout = defaultWaitTimeout
	}
	if options.ShutdownTimeout == 0 {
		options.ShutdownTimeout = defaultShutdownTimeout
	}
	options.Retry = options.Retry.withDefaults(readRetry)
	options.RecordRetry = options.RecordRetry.withDefaults(recordRetry)
	return options
}

// loopbackHost returns the host part of address. It returns an error unless the host is a loopback IP address. Other hosts must not reach
// the gateway, because it adds credentials to requests.
func loopbackHost(address string) (net.IP, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("parsing gateway address %q: host:port is needed: %w", address, err)
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("parsing gateway address %q: %q is not a loopback IP address, use for example 127.0.0.1", address, host)
	}
	return ip, nil
}

// Addr returns the host:port that the gateway listens on.
func (g *Gateway) Addr() string {
	return g.listener.Addr().String()
}

// NeedLeaderElection returns false, so that the gateway starts to serve before the manager becomes the leader and opens sessions.
func (g *Gateway) NeedLeaderElection() bool {
	return false
}

// Start serves requests until ctx ends. Then it waits until all sessions are closed, but at most for Options.ShutdownTimeout.
func (g *Gateway) Start(ctx context.Context) error {
	server := &http.Server{
		Handler:           g.handler(),
		TLSConfig:         g.tls,
		ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog:          errorLog(g.log),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(g.listener, "", "") }()
	g.log.Info("Serving Terraform runs", "address", g.Addr())
	select {
	case err := <-served:
		return fmt.Errorf("serving Terraform runs on %s: %w", g.Addr(), err)
	case <-ctx.Done():
	}
	return g.shutdown(context.WithoutCancel(ctx), server)
}

func (g *Gateway) shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, g.options.ShutdownTimeout)
	defer cancel()
	defer g.pools.close()
	select {
	case <-g.sessions.drained():
	case <-ctx.Done():
		g.log.Info("Stopping with open sessions", "sessions", g.sessions.len())
	}
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stopping the gateway: %w", err)
	}
	return server.Close()
}
