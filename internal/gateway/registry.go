package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
)

// registry finds the session of a token. Tokens are compared by their hashes, so that the time of a comparison says
// nothing about a token.
type registry struct {
	mu       sync.Mutex
	sessions map[[sha256.Size]byte]*Session
	empty    chan struct{}
}

func newRegistry() *registry {
	empty := make(chan struct{})
	close(empty)
	return &registry{sessions: map[[sha256.Size]byte]*Session{}, empty: empty}
}

func (r *registry) add(session *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) == 0 {
		r.empty = make(chan struct{})
	}
	r.sessions[sha256.Sum256([]byte(session.token))] = session
}

func (r *registry) remove(session *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, sha256.Sum256([]byte(session.token)))
	if len(r.sessions) == 0 {
		close(r.empty)
	}
}

// find returns the open session whose token req carries, nil when there is none.
func (r *registry) find(req *http.Request) *Session {
	name, token, ok := req.BasicAuth()
	if !ok || subtle.ConstantTimeCompare([]byte(name), []byte(username)) != 1 {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	r.mu.Lock()
	session := r.sessions[hash]
	r.mu.Unlock()
	if session == nil || session.isClosed() {
		return nil
	}
	return session
}

// drained is closed while no session is open.
func (r *registry) drained() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.empty
}

func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions)
}
