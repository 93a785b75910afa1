// Package transport carries requests to one Prism Central: over a verified, kept-alive and rate-limited connection pool,
// with the real credentials, and with the session that Prism Central gave for them.
package transport

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Upstream says where a Prism Central is, how it is verified and as whom it is addressed.
// Either Username and Password are set, or APIKey.
type Upstream struct {
	// Address is host:port.
	Address string
	// Insecure turns the verification of the certificate off.
	Insecure bool
	// CABundle holds PEM certificates that are trusted in addition to the system's roots.
	CABundle []byte
	// Username and Password are sent by basic authentication.
	Username, Password string
	// APIKey is the key of a Prism service account, sent as X-Ntnx-Api-Key. It wins over Username and Password.
	APIKey string
}

// Digest is the hex SHA-256 over all fields: two upstreams of the same digest may share connections and sessions.
func (u Upstream) Digest() string {
	h := sha256.New()
	write := func(field []byte) {
		// The length in front keeps ("ab", "c") and ("a", "bc") apart.
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

// String names the upstream without its secrets, so that a value that reaches a log or an error gives none away.
func (u Upstream) String() string {
	return u.Address
}

// GoString is String: it keeps secrets out of %#v.
func (u Upstream) GoString() string {
	return fmt.Sprintf("transport.Upstream{%s}", u.Address)
}

// MarshalLog is String: it keeps secrets out of structured logs (logr.Marshaler).
func (u Upstream) MarshalLog() any {
	return u.String()
}

func (u Upstream) validate() error {
	if u.Address == "" {
		return fmt.Errorf("the address of Prism Central is empty")
	}
	if u.APIKey == "" && (u.Username == "" || u.Password == "") {
		return fmt.Errorf("credentials for Prism Central %s are incomplete: either a user name and a password or an API key is needed", u.Address)
	}
	return nil
}
