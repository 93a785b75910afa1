package nutanix

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
	// idleTimeout is short, so that few requests meet a connection in the moment in which Prism Central closes it.
	idleTimeout        = 30 * time.Second
	maxIdleConnections = 16
)

// connection is everything that belongs to one value of Endpoint: its pool of connections, session and API versions.
type connection struct {
	endpoint Endpoint
	base     string
	http     *http.Client
	session  *session.Session
	versions *versions
	secrets  *strings.Replacer
}

var (
	errNoAddress     = errors.New("there is no address of Prism Central")
	errNoCertificate = errors.New("the trust bundle of Prism Central holds no certificate in PEM form")
)

func newConnection(endpoint Endpoint) (*connection, error) {
	if endpoint.Address == "" {
		return nil, errNoAddress
	}
	roots, err := trusted(endpoint.TrustBundle)
	if err != nil {
		return nil, err
	}
	port := endpoint.Port
	if port == 0 {
		port = defaultPort
	}
	host := strings.TrimSuffix(strings.TrimPrefix(endpoint.Address, "["), "]")
	return &connection{
		endpoint: endpoint,
		base:     "https://" + net.JoinHostPort(host, strconv.Itoa(port)),
		session:  session.New(session.Credentials{Username: endpoint.Username, Password: endpoint.Password, APIKey: endpoint.APIKey}, time.Now),
		versions: newVersions(),
		secrets:  hiding(endpoint),
		http: &http.Client{
			// A redirect would carry the credentials elsewhere; Prism Central's API sends none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
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
			},
		},
	}, nil
}

// trusted gives the system's roots with the bundle added; nil means the system's alone.
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

// hiding replaces the endpoint's secrets in a text that came from outside: an answer may repeat what it was sent.
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
