package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
)

// registry maps the hashes of tokens to open sessions. A look-up by hash prevents timing attacks: its duration does not depend on how
// much of the token is correct.
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

// find returns the open session whose token req contains as its password, or nil.
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

// drained returns a channel that is closed as soon as no session is open.
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
