package prism

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
)

// CertificateError means that the certificate of Prism Central is not trusted.
type CertificateError = transport.CertificateError

// NotRespondingError means that Prism Central has not responded to any request for some seconds, and that the call was not sent or not
// finished for this reason.
type NotRespondingError = transport.NotRespondingError

// NotFoundError means that an entity does not exist or that the account cannot see it.
type NotFoundError struct {
	// Kind is the kind of the entity, for example "subnet". Identifier is the requested name or UUID, for example `name "net1"`.
	Kind, Identifier string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("looking up %s with %s: Prism Central has none that this account can see", e.Kind, e.Identifier)
}

// AmbiguousError means that several entities have the requested name.
type AmbiguousError struct {
	Kind, Identifier string
	// UUIDs are the sorted UUIDs of the entities with this name.
	UUIDs []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("looking up %s with %s: %d of them exist (%s); use one of these UUIDs, or rename the others",
		e.Kind, e.Identifier, len(e.UUIDs), strings.Join(e.UUIDs, ", "))
}

// WrongPrismElementError means that a VLAN subnet exists, but not on the requested Prism Element.
type WrongPrismElementError struct {
	// Subnet is the requested name or UUID. Want is the UUID of the requested Prism Element. Have contains the names of the Prism Elements
	// on which the subnet exists.
	Subnet, Want string
	Have         []string
}

func (e *WrongPrismElementError) Error() string {
	return fmt.Sprintf("looking up subnet with %s: it belongs to Prism Element %s and not to %s; choose a subnet of that Prism Element, or an overlay subnet",
		e.Subnet, strings.Join(e.Have, ", "), e.Want)
}

// UnavailableError means that no host of a Prism Element has enough free GPUs of the requested kind.
type UnavailableError struct {
	// GPU is the requested name or device ID. Want is the number of GPUs that one host must have. Free is the largest number of free GPUs on
	// one host.
	GPU, PrismElement string
	Want, Free        int
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("looking for %d free GPUs with %s: no host of Prism Element %s has more than %d of them; free some, or choose another Prism Element",
		e.Want, e.GPU, e.PrismElement, e.Free)
}

// InvalidError means that the value of a field is invalid.
type InvalidError struct {
	// Field is the path of the field in the spec, for example "imageLookup.format". Reason describes what is wrong with the value.
	Field, Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("resolving %s: %s", e.Field, e.Reason)
}

// AuthenticationError means that Prism Central rejects the credentials (401), or that the account lacks a permission (403).
type AuthenticationError struct {
	Address string
	Status  int
	Message string
	// RetryAt is the time of the next login with the credentials, or zero. Until then no request is sent with them.
	RetryAt time.Time
}

func (e *AuthenticationError) Error() string {
	text := fmt.Sprintf("authenticating to Prism Central %s: the credentials are refused", e.Address)
	if e.Status == http.StatusForbidden {
		text = fmt.Sprintf("requesting from Prism Central %s: the account lacks the permission", e.Address)
	}
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	if !e.RetryAt.IsZero() {
		text += ", and they are tried again at " + e.RetryAt.UTC().Format(time.RFC3339) + " or when the Secret changes"
	}
	return text + "; correct the Secret that spec.prismCentral.credentialRef names, or the account's roles"
}

// StatusError means that a response has an error status for which there is no other error type.
type StatusError struct {
	Address, Path   string
	Status          int
	Reason, Message string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("requesting %s from Prism Central %s: it responded with %d %s", e.Path, e.Address, e.Status, http.StatusText(e.Status))
	if e.Reason != "" || e.Message != "" {
		text += fmt.Sprintf(" (%s: %s)", e.Reason, e.Message)
	}
	return text
}

// ResponseError means that a response cannot be parsed, because it is incomplete or not JSON.
type ResponseError struct {
	Address, Path string
	Err           error
}

func (e *ResponseError) Error() string {
	return fmt.Sprintf("reading the response of Prism Central %s for %s: %v", e.Address, e.Path, e.Err)
}

func (e *ResponseError) Unwrap() error { return e.Err }

// Retryable reports whether the error may disappear without an action of the user. This is the case for a failed connection, a timeout,
// a Prism Central that does not respond, an incomplete response, and the status codes 408, 429 and 5xx. An invalid name, password or certificate is not retryable.
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
	var reply *ResponseError
	var request *url.Error
	var notResponding *NotRespondingError
	return errors.As(err, &notResponding) || errors.As(err, &reply) || errors.As(err, &request) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, io.ErrUnexpectedEOF)
}

// reasonNotFound is the reason of responses that an entity does not exist. Some of them have another status than 404.
const reasonNotFound = "ENTITY_NOT_FOUND"

// notFound returns a *NotFoundError if err means that the entity does not exist. Otherwise it returns err. A 404 without a reason does
// not mean that the entity does not exist, because a proxy or a Prism Central that is restarting may send such a response.
func notFound(err error, kind, identifier string) error {
	var status *StatusError
	if errors.As(err, &status) && (status.Status == http.StatusNotFound && status.Reason != "" || status.Reason == reasonNotFound) {
		return &NotFoundError{Kind: kind, Identifier: identifier}
	}
	return err
}
