package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// CertificateError means that the certificate of a Prism Central is not trusted. The request was not sent.
type CertificateError struct {
	// Address is the host:port of the server that sent the certificate.
	Address string
	Err     error
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("verifying the certificate of Prism Central %s: %v (add its CA to spec.prismCentral.additionalTrustBundle)", e.Address, e.Err)
}

func (e *CertificateError) Unwrap() error { return e.Err }

// asCertificateError returns a *CertificateError if err is about the certificate of the server. Otherwise it returns nil.
func asCertificateError(address string, err error) *CertificateError {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return &CertificateError{Address: address, Err: verification.Err}
	}
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	if errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) {
		return &CertificateError{Address: address, Err: err}
	}
	return nil
}

// CheckBundle returns an error unless bundle contains PEM certificates and nothing else.
func CheckBundle(bundle []byte) error {
	found := 0
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("parsing block %d of the trust bundle: its type is %q, want CERTIFICATE", found+1, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("parsing certificate %d of the trust bundle: %w", found+1, err)
		}
		found++
	}
	if found == 0 {
		return errors.New("the trust bundle contains no PEM certificate")
	}
	return nil
}

// trusted returns a pool with the root certificates of the system and the certificates in bundle.
func trusted(bundle []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("loading the system's root certificates: %w", err)
	}
	if len(bundle) == 0 {
		return pool, nil
	}
	if err := CheckBundle(bundle); err != nil {
		return nil, err
	}
	pool.AppendCertsFromPEM(bundle)
	return pool, nil
}
