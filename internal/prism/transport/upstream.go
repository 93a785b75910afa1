// Package transport sends requests to one Prism Central. It verifies the certificate and limits the rate. It authenticates requests with
// the credentials or with the session that Prism Central has opened for the credentials.
package transport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Upstream contains the address of a Prism Central, the settings to verify its certificate, and the credentials. The credentials are
// either Username and Password, or APIKey.
type Upstream struct {
	// Address is the host:port of Prism Central.
	Address string
	// Insecure disables the verification of the certificate.
	Insecure bool
	// CABundle contains PEM certificates that are trusted in addition to the root certificates of the system.
	CABundle []byte
	// Username and Password are sent with HTTP basic authentication.
	Username, Password string
	// APIKey is the key of a Prism service account. It is sent in the header X-Ntnx-Api-Key and takes precedence over Username and Password.
	APIKey string
}

// Secrets returns the credentials in the forms in which requests contain them.
func (u Upstream) Secrets() []string {
	if u.APIKey != "" {
		return []string{u.APIKey}
	}
	return []string{u.Password, base64.StdEncoding.EncodeToString([]byte(u.Username + ":" + u.Password))}
}

// Digest returns the SHA-256 of all fields in hex. Upstreams with the same digest may share connections and sessions.
func (u Upstream) Digest() string {
	h := sha256.New()
	write := func(field []byte) {
		// The length of each field is hashed, too, so that ("ab", "c") and ("a", "bc") have different digests.
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		h.Write(field)
	}
	write([]byte(u.Address))
	write(fmt.Append(nil, u.Insecure))
	write(u.CABundle)
	write([]byte(u.Username))
	write([]byte(u.Password))
	write([]byte(u.APIKey))
	return hex.EncodeToString(h.Sum(nil))
}

// String returns only the address, so that logs and errors contain no secrets.
func (u Upstream) String() string {
	return u.Address
}

// GoString returns only the address, so that the output of %#v contains no secrets.
func (u Upstream) GoString() string {
	return fmt.Sprintf("transport.Upstream{%s}", u.Address)
}

// MarshalLog implements logr.Marshaler. It returns only the address, so that structured logs contain no secrets.
func (u Upstream) MarshalLog() any {
	return u.String()
}

func (u Upstream) validate() error {
	if u.Address == "" {
		return errors.New("address of Prism Central is empty: set spec.prismCentral.address")
	}
	if u.APIKey == "" && (u.Username == "" || u.Password == "") {
		return fmt.Errorf("credentials for Prism Central %s are incomplete: set a user name and a password, or an API key", u.Address)
	}
	return nil
}

// Upstreams contains what is known about all upstreams: which credentials are accepted, and which servers respond. All transports with the
// same Upstreams and the same upstream send refused credentials as if they were one transport. Upstreams keeps an entry for each upstream
// until the process ends.
type Upstreams struct {
	now func() time.Time

	mu       sync.Mutex
	byDigest map[string]*login
	// byAddress contains the servers. The credentials do not matter for whether a server responds.
	byAddress map[string]*server
}

// NewUpstreams returns Upstreams without entries. now returns the current time.
func NewUpstreams(now func() time.Time) *Upstreams {
	return &Upstreams{now: now, byDigest: map[string]*login{}, byAddress: map[string]*server{}}
}

func (u *Upstreams) login(upstream Upstream) *login {
	u.mu.Lock()
	defer u.mu.Unlock()
	digest := upstream.Digest()
	if u.byDigest[digest] == nil {
		u.byDigest[digest] = &login{address: upstream.Address, now: u.now}
	}
	return u.byDigest[digest]
}

func (u *Upstreams) server(upstream Upstream) *server {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byAddress[upstream.Address] == nil {
		u.byAddress[upstream.Address] = &server{address: upstream.Address, patience: minPatience}
	}
	return u.byAddress[upstream.Address]
}
