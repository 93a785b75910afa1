package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/capnt/capnt/internal/prism/transport"
)

// Reasons of the gateway's own answers, as they stand in message_list[].reason. Provider 1.9.5 shows them to the user
// (except for a 401, which it always reports as "invalid auth Credentials").
const (
	ReasonUnauthorized = "GATEWAY_SESSION_UNKNOWN"
	ReasonReadOnly     = "GATEWAY_READ_ONLY"
	ReasonMethod       = "GATEWAY_METHOD_NOT_ALLOWED"
	// ReasonNotRecorded is the reason of a create that was not sent because its creation could not be recorded.
	ReasonNotRecorded   = "GATEWAY_CREATE_NOT_RECORDED"
	ReasonTooLarge      = "GATEWAY_REQUEST_TOO_LARGE"
	ReasonCertificate   = "GATEWAY_CERTIFICATE_NOT_TRUSTED"
	ReasonTimeout       = "GATEWAY_PRISM_CENTRAL_TIMEOUT"
	ReasonUnreachable   = "GATEWAY_PRISM_CENTRAL_UNREACHABLE"
	apiVersion          = "3.1"
	contentTypeOfErrors = "application/json"
)

// errSessionClosed is a create that came while its session was being closed.
var errSessionClosed = errors.New("the session is closed")

// problem is an answer of the gateway itself.
type problem struct {
	status          int
	reason, message string
}

func unauthorized() *problem {
	return &problem{
		status:  http.StatusUnauthorized,
		reason:  ReasonUnauthorized,
		message: "the token belongs to no open session of the gateway: it ends with the run that it was made for",
	}
}

// problemOf says what an error on the way to address means to the child.
func problemOf(err error, address string) *problem {
	var certificate *transport.CertificateError
	var tooLarge *tooLargeError
	var notRecorded *notRecordedError
	switch {
	case errors.Is(err, errSessionClosed):
		return unauthorized()
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, reason: ReasonTooLarge, message: tooLarge.Error()}
	case errors.As(err, &notRecorded):
		return &problem{status: http.StatusServiceUnavailable, reason: ReasonNotRecorded, message: notRecorded.Error()}
	case errors.As(err, &certificate):
		return &problem{status: http.StatusBadGateway, reason: ReasonCertificate, message: certificate.Error()}
	case transport.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return &problem{status: http.StatusGatewayTimeout, reason: ReasonTimeout, message: fmt.Sprintf("Prism Central %s did not answer in time: %v", address, err)}
	}
	return &problem{status: http.StatusBadGateway, reason: ReasonUnreachable, message: fmt.Sprintf("reaching Prism Central %s: %v", address, err)}
}

// write answers in the form of the v3 API. `state` matters: provider 1.9.5 takes a JSON error body without it for success.
// The content type matters too: the v4 SDKs crash on text/html.
func (p *problem) write(w http.ResponseWriter) {
	type message struct {
		Message string `json:"message"`
		Reason  string `json:"reason"`
	}
	body, err := json.Marshal(struct {
		APIVersion  string    `json:"api_version"`
		Code        int       `json:"code"`
		Kind        string    `json:"kind"`
		State       string    `json:"state"`
		MessageList []message `json:"message_list"`
	}{apiVersion, p.status, "error", "ERROR", []message{{p.message, p.reason}}})
	if err != nil { // strings and integers always marshal
		panic(err)
	}
	w.Header().Set("Content-Type", contentTypeOfErrors)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	_, _ = w.Write(body)
}
