package prism

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/capnt/capnt/internal/prism/transport"
)

// CertificateError says that Prism Central's certificate is not to be trusted.
type CertificateError = transport.CertificateError

// NotFoundError says that an entity does not exist, or that the account may not see it.
type NotFoundError struct {
	// Kind of entity ("subnet"); Identifier as it was asked for (`name "net1"`).
	Kind, Identifier string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("looking up %s with %s: there is none in Prism Central that this account can see", e.Kind, e.Identifier)
}

// AmbiguousError says that a name belongs to more than one entity.
type AmbiguousError struct {
	Kind, Identifier string
	// UUIDs of all of them, sorted.
	UUIDs []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("looking up %s with %s: %d of them exist (%s); use one of these UUIDs, or rename the others",
		e.Kind, e.Identifier, len(e.UUIDs), strings.Join(e.UUIDs, ", "))
}

// WrongPrismElementError says that a VLAN subnet exists, but not on the Prism Element that is to use it.
type WrongPrismElementError struct {
	// Subnet as it was asked for; Want is the UUID of the Prism Element; Have names those the subnet belongs to.
	Subnet, Want string
	Have         []string
}

func (e *WrongPrismElementError) Error() string {
	return fmt.Sprintf("looking up subnet with %s: it belongs to Prism Element %s and not to %s; choose a subnet of that Prism Element, or an overlay subnet",
		e.Subnet, strings.Join(e.Have, ", "), e.Want)
}

// UnavailableError says that no host of a Prism Element has the requested GPUs free at this time.
type UnavailableError struct {
	// GPU as it was asked for; Want of them are needed on one host, Free is the most that one host has.
	GPU, PrismElement string
	Want, Free        int
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("looking for %d free GPUs with %s: no host of Prism Element %s has more than %d that would serve this VM; free some, or choose another Prism Element",
		e.Want, e.GPU, e.PrismElement, e.Free)
}

// InvalidError says that a field of a request can never be resolved.
type InvalidError struct {
	// Field is relative to the spec ("imageLookup.format"); Reason says what is wrong with it.
	Field, Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("resolving %s: %s", e.Field, e.Reason)
}

// AuthenticationError says that Prism Central refuses the credentials (401) or what they are used for (403).
type AuthenticationError struct {
	Address string
	Status  int
	Message string
}

func (e *AuthenticationError) Error() string {
	text := fmt.Sprintf("authenticating to Prism Central %s: the credentials are refused", e.Address)
	if e.Status == http.StatusForbidden {
		text = fmt.Sprintf("asking Prism Central %s: the account lacks the permission", e.Address)
	}
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	return text + "; correct the Secret that spec.prismCentral.credentialRef names, or the account's roles"
}

// StatusError is any other answer that is no success.
type StatusError struct {
	Address, Path   string
	Status          int
	Reason, Message string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("asking Prism Central %s for %s: it answered %d %s", e.Address, e.Path, e.Status, http.StatusText(e.Status))
	if e.Reason != "" || e.Message != "" {
		text += fmt.Sprintf(" (%s: %s)", e.Reason, e.Message)
	}
	return text
}

// ReplyError is an answer that cannot be read: cut off, or no JSON.
type ReplyError struct {
	Address, Path string
	Err           error
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("reading the answer of Prism Central %s for %s: %v", e.Address, e.Path, e.Err)
}

func (e *ReplyError) Unwrap() error { return e.Err }

// Retryable says whether an error may pass by itself: no connection, no answer in time, an answer that breaks off,
// 408, 429 or 5xx. An error that has to be cured by somebody (a name, a password, a certificate) is not retryable.
func Retryable(err error) bool {
	var certificate *CertificateError
	if err == nil || errors.As(err, &certificate) {
		return false
	}
	var status *StatusError
	if errors.As(err, &status) {
		return status.Status == http.StatusRequestTimeout || status.Status == http.StatusTooManyRequests ||
			status.Status >= http.StatusInternalServerError
	}
	var reply *ReplyError
	var request *url.Error
	return errors.As(err, &reply) || errors.As(err, &request) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, io.ErrUnexpectedEOF)
}

// notFound turns the answer "there is no such entity" into a NotFoundError and leaves other errors alone: a bare 404 is
// one of a proxy or of a Prism Central that is restarting, and says nothing about the entity.
func notFound(err error, kind, identifier string) error {
	var status *StatusError
	if errors.As(err, &status) && (status.Status == http.StatusNotFound && status.Reason != "" || status.Reason == "ENTITY_NOT_FOUND") {
		return &NotFoundError{Kind: kind, Identifier: identifier}
	}
	return err
}
