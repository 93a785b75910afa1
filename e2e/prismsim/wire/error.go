package wire

import (
	"errors"
	"fmt"
	"net/http"
)

// BasicRealm is the WWW-Authenticate header of a response with status 401.
const BasicRealm = `Basic realm="Intent Gateway Login Required"`

// Refuser writes an error response in the format of the API that received the request.
type Refuser func(w http.ResponseWriter, r *http.Request, refused *Error)

// Unauthenticated returns the error response to a request without valid credentials.
func Unauthenticated() *Error {
	return &Error{
		Status: http.StatusUnauthorized, Reason: "AUTHENTICATION_REQUIRED", Message: "Authentication required.", Details: BasicRealm,
	}
}

// ErrorWith returns the error response that Prism Central sends with an HTTP status.
func ErrorWith(status int) *Error {
	refused := &Error{Status: status, Reason: "INTERNAL_ERROR", Message: "Internal Server Error."}
	switch status {
	case http.StatusTooManyRequests:
		refused.Reason, refused.Message = "RATE_LIMIT_EXCEEDED", "Too many requests: the API rate limit is exceeded, retry later."
	case http.StatusServiceUnavailable:
		refused.Reason, refused.Message = "SERVICE_UNAVAILABLE", "The service is temporarily unavailable."
	case http.StatusConflict:
		refused.Reason, refused.Message = ReasonConflict, "Edit conflict: please retry change."
	case http.StatusNotFound:
		refused.Reason, refused.Message = ReasonNotFound, "The entity does not exist."
	case http.StatusUnauthorized:
		refused.Reason, refused.Message = "AUTHENTICATION_REQUIRED", "Authentication required."
		refused.Details = BasicRealm
	}
	return refused
}

// Error is an error response in the format of v3.
type Error struct {
	Status  int
	Kind    string
	Reason  string
	Message string
	Details any
}

// Error returns the status, reason and message.
func (e *Error) Error() string {
	return fmt.Sprintf("refusing request: %d %s: %s", e.Status, e.Reason, e.Message)
}

// errorBody is the error object of v3. Clients detect a failure by the state ERROR and a missing entity by the reason.
type errorBody struct {
	State       string    `json:"state"`
	Code        int       `json:"code"`
	MessageList []Message `json:"message_list"`
	Kind        string    `json:"kind,omitempty"`
	APIVersion  string    `json:"api_version"`
}

func (e *Error) body() errorBody {
	return errorBody{
		State: StateError, Code: e.Status, Kind: e.Kind, APIVersion: APIVersion,
		MessageList: []Message{{Message: e.Message, Reason: e.Reason, Details: e.Details}},
	}
}

// WriteError writes an error response in the format of v3. If err is not an *Error, the status is 500.
func WriteError(w http.ResponseWriter, err error) {
	var refused *Error
	if !errors.As(err, &refused) {
		refused = &Error{Status: http.StatusInternalServerError, Reason: "INTERNAL_ERROR", Message: err.Error()}
	}
	if refused.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", fmt.Sprint(refused.Details))
	}
	WriteJSON(w, refused.Status, refused.body())
}

// Reasons of v3 errors. INVALID_REQUEST, ENTITY_NOT_FOUND, CATEGORY_NAME_VALUE_MISMATCH, AUTHENTICATION_REQUIRED and
// CONCURRENT_REQUESTS_NOT_ALLOWED are on public record, and clients depend on them.
const (
	ReasonInvalidRequest  = "INVALID_REQUEST"
	ReasonInvalidArgument = "INVALID_ARGUMENT"
	ReasonNotFound        = "ENTITY_NOT_FOUND"
	ReasonConflict        = "CONCURRENT_REQUESTS_NOT_ALLOWED"
	ReasonNameMismatch    = "CATEGORY_NAME_VALUE_MISMATCH"
)

// NotFound returns the error response to a request for an entity that does not exist. what describes the entity, for
// example "The VM <UUID>".
func NotFound(kind, what string) *Error {
	return &Error{Status: http.StatusNotFound, Kind: kind, Reason: ReasonNotFound, Message: fmt.Sprintf("%s does not exist.", what)}
}

// Unprocessable returns the error response to a request that is valid JSON but cannot be carried out.
func Unprocessable(kind, format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Kind: kind, Reason: ReasonInvalidArgument, Message: fmt.Sprintf(format, args...)}
}
