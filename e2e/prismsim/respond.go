package prismsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody bounds a request body: cloud-init data is at most 32 KiB in practice, lists are tiny.
const maxBody = 8 << 20

// apiError is an answer that refuses a request in the v3 form.
type apiError struct {
	status  int
	kind    string
	reason  string
	message string
	details any
}

func (e *apiError) Error() string {
	return fmt.Sprintf("refusing request: %d %s: %s", e.status, e.reason, e.message)
}

// errorBody is the v3 error object. Clients recognise a failure by state ERROR and a vanished entity by the reason.
type errorBody struct {
	State       string    `json:"state"`
	Code        int       `json:"code"`
	MessageList []message `json:"message_list"`
	Kind        string    `json:"kind,omitempty"`
	APIVersion  string    `json:"api_version"`
}

func (e *apiError) body() errorBody {
	return errorBody{
		State: stateError, Code: e.status, Kind: e.kind, APIVersion: apiVersion,
		MessageList: []message{{Message: e.message, Reason: e.reason, Details: e.details}},
	}
}

// endpoint answers one request with a status and a body (nil: empty), or with an error.
type endpoint func(r *http.Request) (int, any, error)

// ServeHTTP writes what the endpoint answers.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	status, body, err := e(r)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, status, body)
}

func writeError(w http.ResponseWriter, err error) {
	var refused *apiError
	if !errors.As(err, &refused) {
		refused = &apiError{status: http.StatusInternalServerError, reason: "INTERNAL_ERROR", message: err.Error()}
	}
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", fmt.Sprint(refused.details))
	}
	writeJSON(w, refused.status, refused.body())
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body == nil {
		return
	}
	// The client may have gone away; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// snapshot marshals a body that refers to the estate while the caller holds the mutex.
func snapshot(body any) json.RawMessage {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // a struct of plain values always marshals
	}
	return raw
}

// decode reads a JSON body. An empty body is an empty object, as the list calls of some clients send it.
func decode(r *http.Request, kind string, into any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return &apiError{status: http.StatusBadRequest, kind: kind, reason: reasonInvalidRequest, message: "Request body could not be read."}
	}
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &apiError{
			status: http.StatusBadRequest, kind: kind, reason: reasonInvalidRequest,
			message: "Request could not be processed.", details: map[string]string{"parse_error": err.Error()},
		}
	}
	return nil
}

// Reasons of v3 errors. INVALID_REQUEST, ENTITY_NOT_FOUND, CATEGORY_NAME_VALUE_MISMATCH, AUTHENTICATION_REQUIRED and
// CONCURRENT_REQUESTS_NOT_ALLOWED are those of public records; clients look for them.
const (
	reasonInvalidRequest  = "INVALID_REQUEST"
	reasonInvalidArgument = "INVALID_ARGUMENT"
	reasonNotFound        = "ENTITY_NOT_FOUND"
	reasonConflict        = "CONCURRENT_REQUESTS_NOT_ALLOWED"
	reasonNameMismatch    = "CATEGORY_NAME_VALUE_MISMATCH"
)

func notFound(kind, what string) *apiError {
	return &apiError{status: http.StatusNotFound, kind: kind, reason: reasonNotFound, message: fmt.Sprintf("%s does not exist.", what)}
}

func unprocessable(kind, format string, args ...any) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, kind: kind, reason: reasonInvalidArgument, message: fmt.Sprintf(format, args...)}
}
