package prismsim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/control"
	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/networking"
	v3 "github.com/capnt/capnt/e2e/prismsim/v3"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/vmm"
)

// serverLog writes the log of net/http as debug entries. Most entries are handshake errors of clients that do not trust
// the certificate.
type serverLog struct{ log logr.Logger }

func newServerLog(l logr.Logger) *log.Logger { return log.New(serverLog{l}, "", 0) }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.V(1).Info("HTTP server", "line", strings.TrimSpace(string(line)))
	return len(line), nil
}

// Options contains the options of a Server.
type Options struct {
	Inventory *inventory.Inventory // required; from LoadInventory or ParseInventory
	Address   string               // host:port on a loopback address; default "127.0.0.1:0" (a free port)
	Username  string               // default "admin"
	Password  string               // required
	APIKey    string               // optional; accepted in X-Ntnx-Api-Key
	Latency   model.Latencies
	// Hypervisor is called when VMs are switched on and off. It may be nil.
	Hypervisor model.Hypervisor
	// Rules and Network select between possible behaviours of a Prism Central. Their zero values select the defaults.
	Rules   model.Rules
	Network networking.Rules
	Log     logr.Logger
}

// Server is a simulated Prism Central. New creates the server and listens, Start serves requests, and Close ends the
// server. Tests change the server with the embedded Control.
type Server struct {
	opts     Options
	listener net.Listener
	caPEM    []byte
	http     *http.Server
	central  *model.Central
	*control.Control
}

// New validates the options, listens on the address and creates a certificate. The caller must call Close.
func New(opts Options) (*Server, error) {
	if opts.Inventory == nil || opts.Password == "" {
		return nil, errors.New("making simulated Prism Central: Options.Inventory and Options.Password are required")
	}
	opts.Address = cmp.Or(opts.Address, "127.0.0.1:0")
	opts.Username = cmp.Or(opts.Username, "admin")
	central, err := model.New(opts.Inventory, model.Settings{
		Username: opts.Username, Latency: opts.Latency, Hypervisor: opts.Hypervisor, Rules: opts.Rules,
	})
	if err != nil {
		return nil, fmt.Errorf("making simulated Prism Central: %w", err)
	}
	listener, err := listen(opts.Address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(listener.Addr().String())
	certificate, caPEM, err := newCertificate(host)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	s := &Server{opts: opts, listener: listener, caPEM: caPEM, central: central}
	s.http = &http.Server{
		Handler:           s.handler(),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only, so that a dropped connection affects one request
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          newServerLog(opts.Log),
	}
	return s, nil
}

// handler returns the handler of all requests. Requests to the APIs pass the journal, the faults and authentication in
// this order. Faults come before authentication because real rate limiters do so, too. Requests to /sim/ are only
// authenticated.
func (s *Server) handler() http.Handler {
	network := networking.New(s.central, s.opts.Network)
	faults, requests, accounts := &fault.Faults{}, &journal.Journal{}, auth.New(s.opts.Username, s.opts.Password, s.opts.APIKey)
	s.Control = control.New(s.central, network, faults, requests, accounts)
	apis := http.NewServeMux()
	v3.New(s.central).Register(apis)
	v4.New(s.central).Register(apis, network.Register, vmm.New(s.central).Register)
	root := http.NewServeMux()
	root.Handle("/", requests.Record(faults.Inject(s.central.Stopped(), v4.WriteRefusal, accounts.Require(s.Lockout, v4.WriteRefusal, apis))))
	none := func() auth.Lockout { return auth.Lockout{} } // even a locked account can use /sim/
	root.Handle("/sim/", accounts.Require(none, v4.WriteRefusal, s.Endpoints()))
	return root
}

// listen returns an error for addresses that are not loopback addresses.
func listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: want host:port: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listening on %q: the simulation serves loopback addresses only, such as 127.0.0.1:9440", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", address, err)
	}
	return listener, nil
}

// Start serves requests until ctx ends or Close is called. It returns immediately.
func (s *Server) Start(ctx context.Context) error {
	select {
	case <-s.central.Stopped():
		return errors.New("starting simulated Prism Central: server is closed")
	default:
	}
	go func() {
		if err := s.http.ServeTLS(s.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.opts.Log.Error(err, "Serving simulated Prism Central ended")
		}
	}()
	context.AfterFunc(ctx, s.Close)
	return nil
}

// Close ends connections and tasks. It returns when all tasks and hypervisor calls have ended. Close may be called
// several times.
func (s *Server) Close() {
	if s.central.Close() {
		_ = s.http.Close()
		_ = s.listener.Close() // closes the listener of a server that was never started
	}
	s.central.Wait()
}

// Address returns the address of the server as host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL returns the URL of the server as https://host:port.
func (s *Server) URL() string { return (&url.URL{Scheme: "https", Host: s.Address()}).String() }

// CABundle returns the certificate of the CA that signed the server's certificate, in PEM.
func (s *Server) CABundle() []byte { return append([]byte(nil), s.caPEM...) }
