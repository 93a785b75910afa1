package state

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

// ServeHTTP implements the server side of Terraform's http backend. The caller must have authenticated the request.
func (s *Session) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	var lock Lock
	if req.Method == "LOCK" || req.Method == "UNLOCK" {
		if err := json.Unmarshal(body, &lock); err != nil {
			http.Error(w, "reading the lock: "+err.Error(), http.StatusBadRequest)
			return
		}
	}
	switch req.Method {
	case http.MethodGet:
		content, err := s.Read(req.Context())
		if err == nil && len(content) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.respond(w, req, content, err)
	case http.MethodPost:
		s.respond(w, req, nil, s.Write(req.Context(), req.URL.Query().Get("ID"), body))
	case "LOCK":
		s.respond(w, req, nil, s.Lock(req.Context(), lock.ID, body))
	case "UNLOCK":
		s.respond(w, req, nil, s.Unlock(req.Context(), lock.ID))
	default:
		http.Error(w, "unknown method "+req.Method, http.StatusMethodNotAllowed)
	}
}

func (s *Session) respond(w http.ResponseWriter, req *http.Request, content []byte, err error) {
	var locked *LockedError
	switch {
	case errors.As(err, &locked):
		w.WriteHeader(http.StatusLocked)
		content = locked.Info
	case err != nil:
		// The error is logged because Terraform does not show the body of the response.
		log.FromContext(req.Context()).Error(err, "Failed to serve a Terraform state", "method", req.Method)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(content) // the error is ignored, because the only cause is a client that has ended
}
