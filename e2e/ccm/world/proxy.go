package world

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/capnt/capnt/e2e/guest/pki"
)

// Verdict is what the proxy does with a request.
type Verdict struct {
	// Status answers with this HTTP status, ContentType and Body instead of asking Prism Central.
	Status      int
	ContentType string
	Body        string
	// Half passes the request on and cuts the answer's body in the middle.
	Half bool
	// Hide passes the request on and leaves the object with that extId out of a list in the answer.
	Hide string
	// HoldRequest keeps the request for ever; Prism Central never sees it.
	HoldRequest bool
	// HoldReply passes the request on and keeps the answer for ever.
	HoldReply bool
	// LoseReply passes the request on and closes the connection instead of answering.
	LoseReply bool
	// Then is called when something is held.
	Then func()
}

// Pass lets a request and its answer through.
var Pass = Verdict{}

// Rule judges every request to Prism Central.
type Rule func(*http.Request) Verdict

// Proxy stands before Prism Central as a company's reverse proxy does. It is where answers that Prism Central never gives
// come from, and where the world can be stopped between a change and the news of it.
type Proxy struct {
	// TrustBundle are the PEM certificates that its clients need.
	TrustBundle []byte

	target   string
	upstream http.RoundTripper
	server   *http.Server
	listener net.Listener

	mu          sync.Mutex
	rule        Rule
	seen        int
	certificate *tls.Certificate
	connections map[net.Conn]bool
}

// NewProxy starts a proxy before the URL, whose certificate is signed by bundle. The caller must Close it.
func NewProxy(target string, bundle []byte) (*Proxy, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("starting a proxy before %s: no certificates in the bundle", target)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("starting a proxy before %s: %w", target, err)
	}
	p := &Proxy{
		target: target, listener: listener, connections: map[net.Conn]bool{},
		upstream: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64},
	}
	if err := p.Renew(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: startTimeout, ConnState: p.notice,
		TLSConfig: &tls.Config{GetCertificate: p.present, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = p.server.ServeTLS(listener, "", "") }()
	return p, nil
}

// Renew gives the proxy a certificate of an authority that nobody knows yet, but for TrustBundle, and ends all connections.
func (p *Proxy) Renew() error {
	authority, err := pki.NewAuthority("proxy")
	if err != nil {
		return err
	}
	pair, err := authority.Issue(pki.Request{CommonName: "proxy", IPs: []net.IP{net.ParseIP(host)}})
	if err != nil {
		return err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.TrustBundle, p.certificate = authority.PEM, &certificate
	for connection := range p.connections {
		_ = connection.Close()
	}
	return nil
}

func (p *Proxy) present(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.certificate, nil
}

// notice keeps the list of connections.
func (p *Proxy) notice(connection net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.connections[connection] = true
	case http.StateClosed:
		delete(p.connections, connection)
	}
}

// Address gives host and port.
func (p *Proxy) Address() (string, int) {
	address := p.listener.Addr().(*net.TCPAddr)
	return address.IP.String(), address.Port
}

// Judge puts a rule in force instead of the one before; nil lets everything pass. What is held stays held.
func (p *Proxy) Judge(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = rule
}

// Close ends all connections, those that are held too.
func (p *Proxy) Close() { _ = p.server.Close() }

// Seen is how many requests came so far.
func (p *Proxy) Seen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func (p *Proxy) verdict(r *http.Request) Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	if p.rule == nil {
		return Pass
	}
	return p.rule(r)
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	verdict := p.verdict(r)
	if verdict.Status != 0 {
		w.Header().Set("Content-Type", verdict.ContentType)
		w.WriteHeader(verdict.Status)
		_, _ = io.WriteString(w, verdict.Body)
		return
	}
	if verdict.HoldRequest {
		hold(r, verdict.Then)
	}
	answer, body, err := p.forward(r)
	if err != nil || verdict.LoseReply {
		panic(http.ErrAbortHandler) // closes the connection
	}
	if verdict.HoldReply {
		hold(r, verdict.Then)
	}
	maps.Copy(w.Header(), answer.Header)
	if verdict.Hide != "" {
		body = without(body, verdict.Hide)
		w.Header().Del("Content-Length")
	}
	w.WriteHeader(answer.StatusCode)
	if verdict.Half {
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

// hold says so, waits until the client is gone, and ends the request.
func hold(r *http.Request, then func()) {
	if then != nil {
		then()
	}
	// The server notices that the client is gone only when the body was read.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func (p *Proxy) forward(r *http.Request) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.target+r.URL.RequestURI(), r.Body)
	if err != nil {
		return nil, nil, err
	}
	request.Header = r.Header.Clone()
	request.ContentLength = r.ContentLength
	answer, err := p.upstream.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

// without leaves an object out of the list in an answer, and out of its count.
func without(body []byte, extID string) []byte {
	var list struct {
		Data     []map[string]any `json:"data"`
		Metadata map[string]any   `json:"metadata"`
		Type     string           `json:"$objectType"`
	}
	if json.Unmarshal(body, &list) != nil {
		return body // one object and no list
	}
	left := slices.DeleteFunc(slices.Clone(list.Data), func(object map[string]any) bool { return object["extId"] == extID })
	if len(left) == len(list.Data) {
		return body
	}
	if total, ok := list.Metadata["totalAvailableResults"].(float64); ok {
		list.Metadata["totalAvailableResults"] = total - 1
	}
	changed, err := json.Marshal(map[string]any{"data": left, "metadata": list.Metadata, "$objectType": list.Type})
	if err != nil {
		return body
	}
	return changed
}
