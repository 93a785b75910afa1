// Package transport sends requests to one Prism Central. It verifies the certificate, limits the rate, and authenticates with
// the credentials or with the session that Prism Central opened for them.
package transport

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Upstream contains the address of a Prism Central, the verification of its certificate, and its credentials. Either Username and
// Password are set, or APIKey.
type Upstream struct {
	// Address is host:port.
	Address string
	// Insecure disables the verification of the certificate.
	Insecure bool
	// CABundle contains PEM certificates that are trusted in addition to the roots of the system.
	CABundle []byte
	// Username and Password are sent with basic authentication.
	Username, Password string
	// APIKey is the key of a Prism service account, sent as X-Ntnx-Api-Key. It takes precedence over Username and Password.
	APIKey string
}

// Digest returns the hex SHA-256 of all fields. Upstreams with the same digest may share connections and sessions.
func (u Upstream) Digest() string {
	h := sha256.New()
	write := func(field []byte) {
		// The length prefix distinguishes ("ab", "c") from ("a", "bc").
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

// String returns the address, so that no secret reaches a log or an error.
func (u Upstream) String() string {
	return u.Address
}

// GoString keeps secrets out of %#v.
func (u Upstream) GoString() string {
	return fmt.Sprintf("transport.Upstream{%s}", u.Address)
}

// MarshalLog implements logr.Marshaler and keeps secrets out of structured logs.
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
