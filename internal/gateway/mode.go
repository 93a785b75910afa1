package gateway

import "net/http"

// Mode determines which requests a session forwards.
type Mode int

const (
	// ReadOnly is the mode of planning runs. It forwards the requests that allowedWhilePlanning allows.
	ReadOnly Mode = iota
	// ReadWrite forwards every request, unless RunOptions.KeepPower refuses it.
	ReadWrite
)

// String returns the mode for logs and metrics.
func (m Mode) String() string {
	if m == ReadWrite {
		return "read-write"
	}
	return "read-only"
}

// refuse returns the error response to a request that this mode does not forward, or nil if it forwards the request.
func (m Mode) refuse(req *http.Request) *apiError {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return &apiError{status: http.StatusMethodNotAllowed, reason: ReasonMethod, message: "the gateway does not forward " + req.Method + " requests"}
	}
	if m == ReadWrite || allowedWhilePlanning(req) {
		return nil
	}
	return &apiError{
		status:  http.StatusForbidden,
		reason:  ReasonReadOnly,
		message: "this run may only read from Prism Central; " + req.Method + " " + req.URL.Path + " could change something",
	}
}
