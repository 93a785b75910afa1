package terraform

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// stateServer is a server for Terraform's http backend. It supports locks, and tests can make it fail.
type stateServer struct {
	url string

	mutex      sync.Mutex
	state      []byte
	lock       map[string]any
	failWrites int
	onRead     func()
	refusal    int
}

func newStateServer(t *testing.T) *stateServer {
	t.Helper()
	server := &stateServer{}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	server.url = listener.URL
	return server
}

// backend returns a terraform block that configures the http backend for this server. It disables retries, because each retry takes a
// second.
func (s *stateServer) backend() string {
	return fmt.Sprintf(`
terraform {
  backend "http" {
    address        = %[1]q
    lock_address   = %[1]q
    unlock_address = %[1]q
    retry_max      = 0
  }
}
`, s.url+"/state")
}

func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "reading the body", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodGet {
		s.mutex.Lock()
		hook := s.onRead
		s.mutex.Unlock()
		if hook != nil {
			hook()
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.refusal != 0 {
		w.WriteHeader(s.refusal)
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.read(w)
	case http.MethodPost:
		s.write(w, body)
	case "LOCK":
		s.take(w, body)
	case "UNLOCK":
		s.lock = nil
	default:
		http.Error(w, "method", http.StatusMethodNotAllowed)
	}
}

// refuse makes the server respond to all requests with status.
func (s *stateServer) refuse(status int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refusal = status
}

func (s *stateServer) read(w http.ResponseWriter) {
	if s.state == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(s.state)
}

func (s *stateServer) current() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return string(s.state)
}

func (s *stateServer) write(w http.ResponseWriter, body []byte) {
	if s.failWrites > 0 {
		s.failWrites--
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	s.state = body
}

func (s *stateServer) take(w http.ResponseWriter, body []byte) {
	if s.lock != nil {
		w.WriteHeader(http.StatusLocked)
		_ = json.NewEncoder(w).Encode(s.lock)
		return
	}
	if err := json.Unmarshal(body, &s.lock); err != nil {
		http.Error(w, "lock info", http.StatusBadRequest)
	}
}

// holdLock locks the state as another process would do.
func (s *stateServer) holdLock(info map[string]any) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lock = info
}

func (s *stateServer) locked() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.lock != nil
}

func (s *stateServer) stored() []byte {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.state
}

// failNextWrites makes the server respond to the next count writes with status 503.
func (s *stateServer) failNextWrites(count int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failWrites = count
}

// whenRead makes the server call hook before it responds to a read of the state.
func (s *stateServer) whenRead(hook func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.onRead = hook
}
