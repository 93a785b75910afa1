package prismv4

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capnt/capnt/internal/session"
)

const (
	defaultPort = 9440
	dialTimeout = 10 * time.Second
	// idleTimeout is short, so that Prism Central rarely closes a connection at the moment when a request reuses it.
	idleTimeout        = 30 * time.Second
	maxIdleConnections = 16
)

// connection contains the HTTP connections, the session and the API versions for one Endpoint. session is nil if the RoundTripper of the
// client authenticates the requests.
type connection struct {
	endpoint Endpoint
	base     string
	http     *http.Client
	session  *session.Session
	versions *versions
	secrets  *strings.Replacer
}

var (
	errNoAddress     = errors.New("the address of Prism Central is empty")
	errNoCertificate = errors.New("the trust bundle of Prism Central contains no certificate in PEM format")
)

func newConnection(endpoint Endpoint, transport http.RoundTripper) (*connection, error) {
	if endpoint.Address == "" {
		return nil, errNoAddress
	}
	port := endpoint.Port
	if port == 0 {
		port = defaultPort
	}
	host := strings.TrimSuffix(strings.TrimPrefix(endpoint.Address, "["), "]")
	conn := &connection{
		endpoint: endpoint,
		base:     "https://" + net.JoinHostPort(host, strconv.Itoa(port)),
		versions: newVersions(),
		secrets:  hiding(endpoint),
		http: &http.Client{
			Transport: transport,
			// Redirects are not followed, because they would send the credentials to another server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if transport != nil {
		return conn, nil
	}
	roots, err := trusted(endpoint.TrustBundle)
	if err != nil {
		return nil, err
	}
	conn.session = session.New(session.Credentials{Username: endpoint.Username, Password: endpoint.Password, APIKey: endpoint.APIKey}, time.Now)
	conn.http.Transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            roots,
			InsecureSkipVerify: endpoint.Insecure, //nolint:gosec // the user's choice: prismCentral.insecure
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        maxIdleConnections,
		MaxIdleConnsPerHost: maxIdleConnections,
		IdleConnTimeout:     idleTimeout,
	}
	return conn, nil
}

// trusted returns the root certificates of the system and those in bundle. If bundle is empty, it returns nil, which also means the root
// certificates of the system.
func trusted(bundle []byte) (*x509.CertPool, error) {
	if len(strings.TrimSpace(string(bundle))) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, errNoCertificate
	}
	return roots, nil
}

// hiding returns a replacer that removes the secrets of the endpoint from a response, because a response may repeat its request.
func hiding(endpoint Endpoint) *strings.Replacer {
	const hidden = "(hidden)"
	var pairs []string
	if endpoint.Password != "" {
		basic := base64.StdEncoding.EncodeToString([]byte(endpoint.Username + ":" + endpoint.Password))
		pairs = append(pairs, basic, hidden, endpoint.Password, hidden)
	}
	if endpoint.APIKey != "" {
		pairs = append(pairs, endpoint.APIKey, hidden)
	}
	return strings.NewReplacer(pairs...)
}
