package gateway

import "net/http"

// Mode determines which requests a session forwards.
type Mode int32

const (
	// ReadOnly is the mode of planning runs. It forwards only requests for which allowedWhilePlanning returns true.
	ReadOnly Mode = iota
	// KeepPower forwards every request that cannot switch a VM on or off or delete a VM. It is the mode of applies that must not disrupt a
	// running VM. Creates are allowed.
	KeepPower
	// ReadWrite forwards every request.
	ReadWrite
)

// String returns the name of the mode for logs and metrics.
func (m Mode) String() string {
	switch m {
	case KeepPower:
		return "keep-power"
	case ReadWrite:
		return "read-write"
	default:
		return "read-only"
	}
}

// refuse returns nil if this mode allows the request, otherwise an error response.
func (m Mode) refuse(req *http.Request) *apiError {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return &apiError{status: http.StatusMethodNotAllowed, reason: ReasonMethod, message: "the gateway does not forward " + req.Method + " requests"}
	}
	if m != ReadOnly || allowedWhilePlanning(req) {
		return nil
	}
	return &apiError{
		status:  http.StatusForbidden,
		reason:  ReasonReadOnly,
		message: "this run may only read from Prism Central; " + req.Method + " " + req.URL.Path + " could change something",
	}
}
