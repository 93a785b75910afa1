package prismsim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-logr/logr"
)

// Options configure a Server.
type Options struct {
	Inventory *Inventory // required; as LoadInventory or ParseInventory give it
	Address   string     // host:port on a loopback address; default "127.0.0.1:0" (a free port)
	Username  string     // default "admin"
	Password  string     // required
	APIKey    string     // optional: a service account's key, accepted in X-Ntnx-Api-Key
	Latency   Latencies
	// Hypervisor is told about VMs that are switched on and off; nil: nobody is.
	Hypervisor Hypervisor
	// Rules and Network choose between behaviours of which it is unknown what a real Prism Central has; the zero value is the default.
	Rules   Rules
	Network NetworkRules
	Log     logr.Logger
}

// Latencies are how long the tasks of each operation run.
type Latencies struct {
	Create  time.Duration // creating a VM, without switching it on
	Update  time.Duration // changing a VM, without switching it
	Delete  time.Duration // deleting a VM
	PowerOn time.Duration // added to every task that switches a VM on
	Network time.Duration // creating, changing or deleting anything of the networking API
}

// Server is a simulated Prism Central. New makes it and takes its address, Start serves it, Close ends it.
type Server struct {
	opts     Options
	listener net.Listener
	caPEM    []byte
	http     *http.Server
	*control
}

// New checks the options, listens on the address and makes a certificate. The caller must Close the server.
func New(opts Options) (*Server, error) {
	if opts.Inventory == nil || opts.Password == "" {
		return nil, errors.New("making simulated Prism Central: Options.Inventory and Options.Password are required")
	}
	opts.Address = cmp.Or(opts.Address, "127.0.0.1:0")
	opts.Username = cmp.Or(opts.Username, "admin")
	estate, err := newEstate(opts.Inventory)
	if err != nil {
		return nil, fmt.Errorf("making simulated Prism Central: %w", err)
	}
	estate.username, estate.latency, estate.hypervisor = opts.Username, opts.Latency, opts.Hypervisor
	estate.rules = opts.Rules
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
	s := &Server{
		opts: opts, listener: listener, caPEM: caPEM, control: &control{
			estate: estate, networkControl: &networkControl{newNetworkAPI(estate, opts.Network)}, auth: newAuthenticator(opts.Username, opts.Password, opts.APIKey),
			faults: &Faults{}, journal: &journal{}, username: opts.Username,
		},
	}
	minor, _ := parseMinor(opts.Inventory.PrismCentral.APIVersion) // checked with the inventory
	s.http = &http.Server{
		Handler:           s.routes(minor),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: a dropped connection is one request's
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          newServerLog(opts.Log),
	}
	return s, nil
}

// listen refuses addresses that are not loopback: the simulation is no product to be reached from elsewhere.
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
	case <-s.estate.stop:
		return errors.New("starting simulated Prism Central: it is closed already")
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

// Close ends all connections, tasks and calls of the hypervisor, and returns when they are gone. It may be called again.
func (s *Server) Close() {
	if s.estate.close() {
		_ = s.http.Close()
		_ = s.listener.Close() // when it was never started
	}
	s.estate.running.Wait()
}

// Address gives host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL gives https://host:port.
func (s *Server) URL() string { return (&url.URL{Scheme: "https", Host: s.Address()}).String() }

// CABundle gives the PEM certificate of the CA that signed the server's certificate.
func (s *Server) CABundle() []byte { return append([]byte(nil), s.caPEM...) }
