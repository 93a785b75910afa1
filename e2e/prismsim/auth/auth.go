// Package auth authenticates requests with basic authentication, sessions or an API key, and locks accounts after
// failed logins.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const (
	sessionCookie = "NTNX_IGW_SESSION"
	// sessionLife is how long Prism Central accepts a session.
	sessionLife = 15 * time.Minute
	apiKeyName  = "X-Ntnx-Api-Key"
	// apiKeyAccount is the name of the account to which the API key belongs.
	apiKeyAccount = "api-key"
)

// Lockout locks an account after too many consecutive failed logins. The sessions of a locked account stay valid.
type Lockout struct {
	After  int // failed logins until the account is locked; 0: never
	For    time.Duration
	Status int // HTTP status of responses to a locked account; default 401, as for a wrong password
}

// Authenticator stores the accounts of the server and their sessions.
type Authenticator struct {
	mu       sync.Mutex
	accounts map[string]*credentials
	apiKey   string
	sessions map[string]login // by token
}

type credentials struct {
	password    string
	failures    int // consecutive failed logins
	lockedUntil time.Time
}

// login is a session of an account.
type login struct {
	account string
	expiry  time.Time
}

// New returns an Authenticator with one account. If apiKey is empty, there is no API key.
func New(username, password, apiKey string) *Authenticator {
	return &Authenticator{accounts: map[string]*credentials{username: {password: password}}, apiKey: apiKey, sessions: map[string]login{}}
}

// SetAccount adds an account or changes the password of an account. A change ends the sessions of the account, as in
// Prism, and unlocks the account.
func (a *Authenticator) SetAccount(name, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[name] = &credentials{password: password}
	maps.DeleteFunc(a.sessions, func(_ string, session login) bool { return session.account == name })
}

// user returns the name of the account in a request and reports whether the request contains a valid session. If the
// credentials are not valid, user also returns an error response.
func (a *Authenticator) user(r *http.Request, lockout Lockout) (name string, session bool, refused *wire.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(sessionCookie); err == nil {
		if session, known := a.sessions[c.Value]; known && time.Now().Before(session.expiry) {
			return session.account, true, nil
		}
	}
	if key := r.Header.Get(apiKeyName); key != "" {
		if a.apiKey == "" || !equal(key, a.apiKey) {
			return apiKeyAccount, false, wire.Unauthenticated()
		}
		return apiKeyAccount, false, nil
	}
	name, password, basic := r.BasicAuth()
	if !basic {
		return "", false, wire.Unauthenticated()
	}
	return name, false, a.login(name, password, lockout)
}

// login checks a password. If the account is locked, login returns an error response even for the right password.
func (a *Authenticator) login(name, password string, lockout Lockout) *wire.Error {
	known, exists := a.accounts[name]
	switch {
	case !exists:
		return wire.Unauthenticated()
	case lockout.After > 0 && time.Now().Before(known.lockedUntil):
		return lockout.refusal()
	case equal(password, known.password):
		known.failures = 0
		return nil
	}
	known.failures++
	if lockout.After > 0 && known.failures >= lockout.After {
		known.failures, known.lockedUntil = 0, time.Now().Add(lockout.For)
	}
	return wire.Unauthenticated()
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refusal returns the error response to a locked account. No public record of the real response was found, so by
// default the response is the same as for a wrong password.
func (l Lockout) refusal() *wire.Error {
	if l.Status == 0 || l.Status == http.StatusUnauthorized {
		return wire.Unauthenticated()
	}
	return &wire.Error{Status: l.Status, Reason: "ACCESS_DENIED", Message: "The account is locked after too many failed logins."}
}

// open creates a session for an account and returns the session cookie.
func (a *Authenticator) open(account string) *http.Cookie {
	token := randomToken()
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.sessions, func(_ string, session login) bool { return now.After(session.expiry) })
	a.sessions[token] = login{account: account, expiry: now.Add(sessionLife)}
	return &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Expires: now.Add(sessionLife),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func randomToken() string {
	var raw [24]byte
	// crypto/rand.Read never fails.
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

type accountKey struct{}

// Account returns the name of the account that sent the request of ctx.
func Account(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// Require rejects requests that are not authenticated and passes the others to next. It adds a new session cookie to
// responses to requests with basic authentication or an API key, as Prism Central does. refuse writes the error
// responses.
func (a *Authenticator) Require(lockout func() Lockout, refuse wire.Refuser, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, session, refused := a.user(r, lockout())
		if entry := journal.EntryOf(r.Context()); entry != nil {
			entry.User = name
		}
		if refused != nil {
			refuse(w, r, refused)
			return
		}
		if !session {
			http.SetCookie(w, a.open(name))
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, name)))
	})
}
