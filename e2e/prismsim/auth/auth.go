// Package auth authenticates requests: basic authentication, sessions, an API key, and lockouts of accounts.
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
	// apiKeyAccount is the name of the account that the API key belongs to.
	apiKeyAccount = "api-key"
)

// Lockout locks an account after too many failed logins in a row. Its sessions stay valid.
type Lockout struct {
	After  int // 0: never
	For    time.Duration
	Status int // status of responses to a locked account; default 401, as for a wrong password
}

// Authenticator has the accounts of the server and their sessions.
type Authenticator struct {
	mu       sync.Mutex
	accounts map[string]*credentials
	apiKey   string
	sessions map[string]login // by token
}

type credentials struct {
	password    string
	failures    int // failed logins in a row
	lockedUntil time.Time
}

// login is a session of an account.
type login struct {
	account string
	expiry  time.Time
}

// New returns an Authenticator with one account. An empty apiKey means that there is no API key.
func New(username, password, apiKey string) *Authenticator {
	return &Authenticator{accounts: map[string]*credentials{username: {password: password}}, apiKey: apiKey, sessions: map[string]login{}}
}

// SetAccount adds an account or changes its password. Changing it ends the account's sessions, as in Prism, and its lockout.
func (a *Authenticator) SetAccount(name, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[name] = &credentials{password: password}
	maps.DeleteFunc(a.sessions, func(_ string, session login) bool { return session.account == name })
}

// user returns the account that a request names, and whether it has a session. The error is nil if its credentials are valid.
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

// login checks a password. A locked account is refused even with the right password.
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

// refusal returns the response to a locked account. No public record of the real response was found, so it looks like that to a
// wrong password by default.
func (l Lockout) refusal() *wire.Error {
	if l.Status == 0 || l.Status == http.StatusUnauthorized {
		return wire.Unauthenticated()
	}
	return &wire.Error{Status: l.Status, Reason: "ACCESS_DENIED", Message: "The account is locked after too many failed logins."}
}

// open creates a session for an account.
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

// Account returns the name of the account that sent the request of a context.
func Account(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// Require refuses requests that are not authenticated. A response to basic authentication or an API key has a new session
// cookie, as in Prism Central. Refusals are written with refuse.
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
