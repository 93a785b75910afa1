package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// username is the user name that the child sends together with its token. No account in Prism Central has this name.
const username = "capnt"

// Upstream contains the address of a Prism Central, the verification of its certificate, and its credentials.
type Upstream = transport.Upstream

// RunOptions describes one Terraform run.
type RunOptions struct {
	Upstream Upstream
	// Mode is the mode in which the session begins. See Session.SetMode.
	Mode Mode
	// Object identifies the object in logs, for example "NutanixMachine default/m-1".
	Object string
	// Creates records the VMs that the child creates. If it is nil, no VMs are recorded.
	Creates CreateRecorder
	// Deleted is called with the UUID of a VM when Prism Central has accepted the deletion of the VM, before the child gets the response. It
	// may be nil.
	Deleted func(uuid string)
	// State serves the Terraform state of the run to Terraform's http backend. It is nil if the state is stored in another backend.
	State http.Handler
}

// Session gives one run access to Prism Central until Close is called.
type Session struct {
	gateway  *Gateway
	options  RunOptions
	token    string
	upstream *pool
	proxy    http.Handler
	calls    calls

	sent     sentCreates
	tasks    createTasks
	failures failures
	mode     atomic.Int32
	// switchedOn is the UUID of a VM that the child may switch on in the mode KeepPower, or empty.
	switchedOn atomic.Value
	mu         sync.Mutex
	closed     bool
	creates    sync.WaitGroup
}

// CredentialsRefusedError means that Prism Central has refused the credentials and that the next login with them is not due yet.
type CredentialsRefusedError = transport.CredentialsRefusedError

// Open starts a session. It sends no request. It returns an error if the upstream is incomplete or its trust bundle cannot be parsed, and
// a *CredentialsRefusedError if Prism Central has refused the credentials.
func (g *Gateway) Open(options RunOptions) (*Session, error) {
	upstream, err := g.pools.acquire(options.Upstream)
	if err != nil {
		return nil, fmt.Errorf("opening a gateway session for %s: %w", options.Object, err)
	}
	if err := upstream.Refused(); err != nil {
		g.pools.release(upstream)
		return nil, err
	}
	session := &Session{gateway: g, options: options, token: newToken(), upstream: upstream}
	session.SetMode(options.Mode)
	session.proxy = g.newProxy(session)
	g.sessions.add(session)
	g.metrics.sessions.Inc()
	return session, nil
}

// SetMode changes which requests the session forwards from now on. A run begins with ReadOnly to make a plan, and then applies this plan.
func (s *Session) SetMode(mode Mode) { s.mode.Store(int32(mode)) }

// AllowPowerOn makes the mode KeepPower forward the v4 action that switches on the VM with the UUID uuid.
func (s *Session) AllowPowerOn(uuid string) { s.switchedOn.Store(uuid) }

// mayPowerOn reports whether the mode KeepPower forwards the v4 action that switches on a VM.
func (s *Session) mayPowerOn(uuid string) bool {
	allowed, _ := s.switchedOn.Load().(string)
	return s.tasks.hasVM(uuid) || allowed != "" && strings.EqualFold(allowed, uuid)
}

// Mode returns the present mode of the session.
func (s *Session) Mode() Mode { return Mode(s.mode.Load()) }

// newToken returns a random token of 256 bits. crypto/rand never fails.
func newToken() string {
	var token [32]byte
	_, _ = rand.Read(token[:])
	return base64.RawURLEncoding.EncodeToString(token[:])
}

// statePath is the path at which the gateway serves the Terraform state of a run. No API of Prism Central uses this path.
const statePath = "/terraform/state"

// Env returns the environment variables with which the nutanix provider uses the gateway. If the session serves a state, they also
// configure Terraform's http backend. They contain no credentials of Prism Central.
func (s *Session) Env() map[string]string {
	host, port, _ := net.SplitHostPort(s.gateway.Addr())
	minutes := max(1, int(s.gateway.options.WaitTimeout/time.Minute))
	env := map[string]string{
		"NUTANIX_ENDPOINT":     host,
		"NUTANIX_PORT":         port, // provider 1.9.5 ignores it
		"NUTANIX_USERNAME":     username,
		"NUTANIX_PASSWORD":     s.token,
		"NUTANIX_INSECURE":     "false",
		"NUTANIX_WAIT_TIMEOUT": strconv.Itoa(minutes),
	}
	if s.options.State != nil {
		address := "https://" + s.gateway.Addr() + statePath
		maps.Copy(env, map[string]string{
			"TF_HTTP_ADDRESS": address, "TF_HTTP_LOCK_ADDRESS": address, "TF_HTTP_UNLOCK_ADDRESS": address,
			"TF_HTTP_USERNAME": username, "TF_HTTP_PASSWORD": s.token,
			"TF_HTTP_RETRY_MAX": "0", // State retries requests itself
		})
	}
	return env
}

// CABundle returns the certificate of the gateway's CA as PEM. The child has to trust it (SSL_CERT_FILE).
func (s *Session) CABundle() []byte {
	return append([]byte(nil), s.gateway.caBundle...)
}

// Calls returns the number of requests that the child has sent. It includes requests that were not forwarded.
func (s *Session) Calls() int {
	return s.calls.total()
}

// Close ends the session. New requests get status 401, but requests that are being forwarded are finished. Close waits until all creates
// have finished, so that the CreateRecorder is not called after Close has returned. Close may be called more than once.
func (s *Session) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	s.creates.Wait()
	if !first {
		return
	}
	s.gateway.sessions.remove(s)
	s.gateway.pools.release(s.upstream)
	s.gateway.metrics.sessions.Dec()
	s.calls.observe(s.gateway.metrics.runRequests)
}

// beginCreate registers a create, so that Close waits until it has finished. It returns false if the session is already closed.
func (s *Session) beginCreate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.creates.Add(1)
	return true
}

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
