package prismsim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"sync"
	"time"
)

const (
	sessionCookie = "NTNX_IGW_SESSION"
	// sessionLife is how long Prism Central honours a session.
	sessionLife = 15 * time.Minute
	apiKeyName  = "X-Ntnx-Api-Key"
	basicRealm  = `Basic realm="Intent Gateway Login Required"`
)

// authenticator knows the one user of the server and the sessions given to it.
type authenticator struct {
	mu       sync.Mutex
	username string
	password string
	apiKey   string
	sessions map[string]time.Time // token -> expiry
}

func newAuthenticator(username, password, apiKey string) *authenticator {
	return &authenticator{username: username, password: password, apiKey: apiKey, sessions: map[string]time.Time{}}
}

// setPassword also ends every session, as a password change in Prism does.
func (a *authenticator) setPassword(password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.password = password
	clear(a.sessions)
}

// user gives the user name of a request with valid credentials, and whether it came with a session.
func (a *authenticator) user(r *http.Request) (name string, session, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(sessionCookie); err == nil {
		if expiry, known := a.sessions[c.Value]; known && time.Now().Before(expiry) {
			return a.username, true, true
		}
	}
	if key := r.Header.Get(apiKeyName); key != "" {
		return "api-key", false, a.apiKey != "" && equal(key, a.apiKey)
	}
	name, password, basic := r.BasicAuth()
	if !basic {
		return "", false, false
	}
	return name, false, equal(name, a.username) && equal(password, a.password)
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// open makes a session.
func (a *authenticator) open() *http.Cookie {
	token := randomToken()
	expiry := time.Now().Add(sessionLife)
	a.mu.Lock()
	defer a.mu.Unlock()
	for old, end := range a.sessions {
		if time.Now().After(end) {
			delete(a.sessions, old)
		}
	}
	a.sessions[token] = expiry
	return &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Expires: expiry,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func randomToken() string {
	var raw [24]byte
	// crypto/rand.Read never fails.
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// require lets only authenticated requests through. An answer to basic auth or an API key carries a new session cookie,
// as every answer of Prism Central does.
func (a *authenticator) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, session, ok := a.user(r)
		if entry := entryOf(r.Context()); entry != nil {
			entry.User = user
		}
		if !ok {
			writeRefusal(w, r, &apiError{
				status: http.StatusUnauthorized, reason: "AUTHENTICATION_REQUIRED", message: "Authentication required.", details: basicRealm,
			})
			return
		}
		if !session {
			http.SetCookie(w, a.open())
		}
		next.ServeHTTP(w, r)
	})
}

// SetPassword changes the password at run time and invalidates all sessions.
func (s *Server) SetPassword(password string) { s.auth.setPassword(password) }

// getMe answers GET /users/me, by which clients open sessions.
func (s *Server) getMe(*http.Request) (int, any, error) {
	body := entity{
		APIVersion: apiVersion,
		Metadata:   &metadata{Kind: "user", UUID: s.estate.ownerUUID, SpecVersion: ptr(int64(0)), Categories: map[string]string{}},
		Spec:       map[string]any{"resources": map[string]any{}},
		Status: map[string]any{
			"state": stateComplete, "name": s.opts.Username,
			"resources": map[string]any{"user_type": "LOCAL", "display_name": s.opts.Username},
		},
	}
	return http.StatusOK, body, nil
}
