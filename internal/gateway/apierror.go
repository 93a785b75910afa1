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

// Reasons in the gateway's own error responses (message_list[].reason in v3, errorGroup in v4). Provider 1.9.5 shows them to the user,
// except for status 401, which it always reports as "invalid auth Credentials". Provider 2.4 shows them, except for the create of a VM.
const (
	// ReasonUnauthorized means that no open session has the token of the request.
	ReasonUnauthorized = "GATEWAY_SESSION_UNKNOWN"
	// ReasonReadOnly means that a planning run sent a request that could change something.
	ReasonReadOnly = "GATEWAY_READ_ONLY"
	// ReasonMethod means that the gateway does not forward requests with this HTTP method.
	ReasonMethod = "GATEWAY_METHOD_NOT_ALLOWED"
	// ReasonPowerState means that the mode KeepPower does not allow the request.
	ReasonPowerState = "GATEWAY_POWER_STATE"
	// ReasonNotRecorded means that a create was not sent, because CreateRecorder.Sending failed.
	ReasonNotRecorded = "GATEWAY_CREATE_NOT_RECORDED"
	// ReasonUnconfirmed means that a run repeated a create whose outcome is unknown. The create was not sent again.
	ReasonUnconfirmed = "GATEWAY_CREATE_UNCONFIRMED"
	// ReasonTooLarge means that the gateway has to read the body of the request, but the body exceeds the limit.
	ReasonTooLarge = "GATEWAY_REQUEST_TOO_LARGE"
	// ReasonCertificate means that the certificate of Prism Central is not trusted.
	ReasonCertificate = "GATEWAY_CERTIFICATE_NOT_TRUSTED"
	// ReasonCredentialsRefused means that Prism Central has refused the credentials, and that the next login with them is not due.
	ReasonCredentialsRefused = "GATEWAY_CREDENTIALS_REFUSED"
	// ReasonTimeout means that Prism Central did not respond in time.
	ReasonTimeout = "GATEWAY_PRISM_CENTRAL_TIMEOUT"
	// ReasonUnreadable means that Prism Central, or a proxy in front of it, sent a response that the provider cannot read.
	ReasonUnreadable = "GATEWAY_RESPONSE_UNREADABLE"
	// ReasonTaskWithoutMessage is the errorGroup of the error message that the gateway adds to a failed v4 task without one.
	ReasonTaskWithoutMessage = "GATEWAY_TASK_WITHOUT_MESSAGE"
	// ReasonUnreachable means that the connection to Prism Central failed.
	ReasonUnreachable = "GATEWAY_PRISM_CENTRAL_UNREACHABLE"
)

// apiError is an error response that the gateway itself creates. A RoundTripper returns an apiError as its error if the gateway does not
// forward the request.
type apiError struct {
	status          int
	reason, message string
}

func (e *apiError) Error() string { return e.message }

func unauthorized() *apiError {
	return &apiError{
		status:  http.StatusUnauthorized,
		reason:  ReasonUnauthorized,
		message: "the token belongs to no open session of the gateway: it ends with the run that it was made for",
	}
}

// apiErrorOf returns the error response for a request that could not be sent to Prism Central. err is the cause, address is the address
// of Prism Central.
func apiErrorOf(err error, address string) *apiError {
	var own *apiError
	var certificate *transport.CertificateError
	var refused *transport.CredentialsRefusedError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &refused):
		return &apiError{status: http.StatusUnauthorized, reason: ReasonCredentialsRefused, message: refused.Error()}
	case errors.As(err, &certificate):
		return &apiError{status: http.StatusBadGateway, reason: ReasonCertificate, message: certificate.Error()}
	case transport.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return &apiError{status: http.StatusGatewayTimeout, reason: ReasonTimeout, message: fmt.Sprintf("Prism Central %s did not respond in time: %v", address, err)}
	}
	return &apiError{status: http.StatusBadGateway, reason: ReasonUnreachable, message: fmt.Sprintf("reaching Prism Central %s: %v", address, err)}
}

// write sends the error as the response to req, in the form of the API that req uses. The format matters: provider 1.9.5 treats a JSON
// error body without `state` as success, and the v4 SDKs crash on a response of type text/html.
func (e *apiError) write(w http.ResponseWriter, req *http.Request) {
	body := e.v3Body()
	if apiOf(req) == apiV4 {
		body = e.v4Body(apiNamespace(req))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}

// v3Body returns the error as the body of an error response of the v3 API.
func (e *apiError) v3Body() []byte {
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
	}{"3.1", e.status, "error", "ERROR", []message{{e.message, e.reason}}})
	if err != nil { // marshalling strings and integers cannot fail
		panic(err)
	}
	return body
}
