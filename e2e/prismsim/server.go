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
)

// serverLog writes the log of net/http as debug entries. Most are handshake errors of clients that do not trust the certificate.
type serverLog struct{ log logr.Logger }

func newServerLog(l logr.Logger) *log.Logger { return log.New(serverLog{l}, "", 0) }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.V(1).Info("HTTP server", "line", strings.TrimSpace(string(line)))
	return len(line), nil
}

// Options configure a Server.
type Options struct {
	Inventory *inventory.Inventory // required; from LoadInventory or ParseInventory
	Address   string               // host:port on a loopback address; default "127.0.0.1:0" (a free port)
	Username  string               // default "admin"
	Password  string               // required
	APIKey    string               // optional; accepted in X-Ntnx-Api-Key
	Latency   model.Latencies
	// Hypervisor, if set, is called when VMs are switched on and off.
	Hypervisor model.Hypervisor
	// Rules and Network choose between behaviours. The zero value is the default.
	Rules   model.Rules
	Network networking.Rules
	Log     logr.Logger
}

// Server is a simulated Prism Central. New creates it and listens, Start serves, Close ends it. The embedded Control changes it.
type Server struct {
	opts     Options
	listener net.Listener
	caPEM    []byte
	http     *http.Server
	central  *model.Central
	*control.Control
}

// New checks the options, listens on the address and creates a certificate. The caller must Close the server.
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
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // only HTTP/1.1, so that dropping a connection affects one request
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          newServerLog(opts.Log),
	}
	return s, nil
}

// handler returns the handler of all requests. Requests to the APIs pass the journal, the faults and authentication in this order,
// because rate limiters come before authentication. Requests to /sim/ are only authenticated.
func (s *Server) handler() http.Handler {
	network := networking.New(s.central, s.opts.Network)
	faults, requests, accounts := &fault.Faults{}, &journal.Journal{}, auth.New(s.opts.Username, s.opts.Password, s.opts.APIKey)
	s.Control = control.New(s.central, network, faults, requests, accounts)
	apis := http.NewServeMux()
	v3.New(s.central).Register(apis)
	v4.New(s.central).Register(apis, network.Register)
	root := http.NewServeMux()
	root.Handle("/", requests.Record(faults.Inject(s.central.Stopped(), v4.WriteRefusal, accounts.Require(s.Lockout, v4.WriteRefusal, apis))))
	none := func() auth.Lockout { return auth.Lockout{} } // even a locked account can use /sim/
	root.Handle("/sim/", accounts.Require(none, v4.WriteRefusal, s.Endpoints()))
	return root
}

// listen refuses addresses that are not loopback addresses.
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

// Start serves requests until ctx ends or Close is called. It returns at once.
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

// Close ends connections and tasks, and returns when all tasks and calls of the hypervisor have ended. It may be called again.
func (s *Server) Close() {
	if s.central.Close() {
		_ = s.http.Close()
		_ = s.listener.Close() // the listener of a server that was never started
	}
	s.central.Wait()
}

// Address returns host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL returns https://host:port.
func (s *Server) URL() string { return (&url.URL{Scheme: "https", Host: s.Address()}).String() }

// CABundle returns the PEM certificate of the CA that signed the server's certificate.
func (s *Server) CABundle() []byte { return append([]byte(nil), s.caPEM...) }
