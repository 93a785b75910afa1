package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// username is what the child sends with its token; it says nothing about the account in Prism Central.
const username = "capnt"

// Upstream says where Prism Central is and as whom it is addressed.
type Upstream = transport.Upstream

// Mode says what the child of a session may do.
type Mode int

const (
	// ReadOnly lets GET, HEAD, OPTIONS and the v3 lists (POST .../list) pass: all that a plan needs.
	ReadOnly Mode = iota
	// ReadWrite lets all requests pass.
	ReadWrite
)

// String is the mode as it stands in logs and metrics.
func (m Mode) String() string {
	if m == ReadWrite {
		return "read-write"
	}
	return "read-only"
}

// RunOptions describe one Terraform run.
type RunOptions struct {
	Upstream Upstream
	Mode     Mode
	// Object names what the run is for ("NutanixMachine default/m-1"), in logs.
	Object string
	// Creates records the VMs that the child creates; nil records nothing.
	Creates CreateRecorder
	// KeepPower refuses requests that could change the power state of a VM or delete it: see keepPower.
	KeepPower bool
}

// Session is one run's way to Prism Central. Close ends it.
type Session struct {
	gateway  *Gateway
	options  RunOptions
	token    string
	upstream *pool
	proxy    http.Handler
	calls    atomic.Int64

	mu      sync.Mutex
	closed  bool
	creates sync.WaitGroup
}

// Open starts a session. It sends nothing; an upstream whose trust bundle is unreadable is an error.
func (g *Gateway) Open(options RunOptions) (*Session, error) {
	upstream, err := g.pools.acquire(options.Upstream)
	if err != nil {
		return nil, fmt.Errorf("opening a gateway session for %s: %w", options.Object, err)
	}
	session := &Session{gateway: g, options: options, token: newToken(), upstream: upstream}
	session.proxy = g.newProxy(session)
	g.sessions.add(session)
	g.metrics.sessions.Inc()
	return session, nil
}

// newToken returns 256 random bits. crypto/rand never fails.
func newToken() string {
	var token [32]byte
	_, _ = rand.Read(token[:])
	return base64.RawURLEncoding.EncodeToString(token[:])
}

// Env is what the nutanix provider needs to come here. It holds no credentials of Prism Central.
func (s *Session) Env() map[string]string {
	host, port, _ := net.SplitHostPort(s.gateway.Addr())
	minutes := max(1, int(s.gateway.options.WaitTimeout/time.Minute))
	return map[string]string{
		"NUTANIX_ENDPOINT":     host,
		"NUTANIX_PORT":         port, // provider 1.9.5 ignores it
		"NUTANIX_USERNAME":     username,
		"NUTANIX_PASSWORD":     s.token,
		"NUTANIX_INSECURE":     "false",
		"NUTANIX_WAIT_TIMEOUT": strconv.Itoa(minutes),
	}
}

// CABundle is the PEM certificate of the gateway's CA, which the child has to trust (SSL_CERT_FILE).
func (s *Session) CABundle() []byte {
	return append([]byte(nil), s.gateway.caBundle...)
}

// Calls is the number of requests that the child has sent, refused ones included.
func (s *Session) Calls() int {
	return int(s.calls.Load())
}

// Close ends the token: later requests get a 401, requests that are being served finish. It returns when no create is
// being served any more, so that the CreateRecorder is not called after it. It may be called more than once.
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
}

// beginCreate registers a create that Close waits for; false when the session is closed.
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
