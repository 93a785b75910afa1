package prismsim

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"sync"
	"time"
)

const (
	sessionCookie = "NTNX_IGW_SESSION"
	// sessionLife is how long Prism Central honours a session.
	sessionLife = 15 * time.Minute
	apiKeyName  = "X-Ntnx-Api-Key"
	// apiKeyAccount is the name of the account that the API key belongs to.
	apiKeyAccount = "api-key"
	basicRealm    = `Basic realm="Intent Gateway Login Required"`
)

// authenticator knows the accounts of the server and their sessions.
type authenticator struct {
	mu       sync.Mutex
	accounts map[string]*account
	apiKey   string
	sessions map[string]login // by token
}

type account struct {
	password    string
	failures    int // failed logins in a row
	lockedUntil time.Time
}

// login is a session of an account.
type login struct {
	account string
	expiry  time.Time
}

func newAuthenticator(username, password, apiKey string) *authenticator {
	return &authenticator{accounts: map[string]*account{username: {password: password}}, apiKey: apiKey, sessions: map[string]login{}}
}

// setAccount adds an account or changes its password. That ends the sessions of the account, as in Prism, and a lockout.
func (a *authenticator) setAccount(name, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[name] = &account{password: password}
	maps.DeleteFunc(a.sessions, func(_ string, session login) bool { return session.account == name })
}

// user returns the account of a request with valid credentials, and whether it came with a session. A name without valid
// credentials comes with an error.
func (a *authenticator) user(r *http.Request, rules Rules) (name string, session bool, refused *apiError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(sessionCookie); err == nil {
		if session, known := a.sessions[c.Value]; known && time.Now().Before(session.expiry) {
			return session.account, true, nil
		}
	}
	if key := r.Header.Get(apiKeyName); key != "" {
		if a.apiKey == "" || !equal(key, a.apiKey) {
			return apiKeyAccount, false, unauthenticated()
		}
		return apiKeyAccount, false, nil
	}
	name, password, basic := r.BasicAuth()
	if !basic {
		return "", false, unauthenticated()
	}
	return name, false, a.login(name, password, rules)
}

// login checks a password. After too many failures in a row the account is locked for a while, even for the right password.
func (a *authenticator) login(name, password string, rules Rules) *apiError {
	known, exists := a.accounts[name]
	switch {
	case !exists:
		return unauthenticated()
	case rules.LockoutAfter > 0 && time.Now().Before(known.lockedUntil):
		return lockedRefusal(rules)
	case equal(password, known.password):
		known.failures = 0
		return nil
	}
	known.failures++
	if rules.LockoutAfter > 0 && known.failures >= rules.LockoutAfter {
		known.failures, known.lockedUntil = 0, time.Now().Add(time.Duration(rules.LockoutFor))
	}
	return unauthenticated()
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func unauthenticated() *apiError {
	return &apiError{
		status: http.StatusUnauthorized, reason: "AUTHENTICATION_REQUIRED", message: "Authentication required.", details: basicRealm,
	}
}

// lockedRefusal is how a request of a locked account is refused. By default it looks like one with a wrong password. No public record
// of the real response was found.
func lockedRefusal(r Rules) *apiError {
	if r.LockoutStatus == 0 || r.LockoutStatus == http.StatusUnauthorized {
		return unauthenticated()
	}
	return &apiError{status: r.LockoutStatus, reason: "ACCESS_DENIED", message: "The account is locked after too many failed logins."}
}

// open makes a session for an account.
func (a *authenticator) open(account string) *http.Cookie {
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

// accountOf returns the name of the account that sent a request.
func accountOf(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// require lets only authenticated requests through. The response to basic auth or an API key carries a new session cookie, as
// every response of Prism Central does. rules returns those that hold for logins.
func (a *authenticator) require(rules func() Rules, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, session, refused := a.user(r, rules())
		if entry := entryOf(r.Context()); entry != nil {
			entry.User = name
		}
		if refused != nil {
			writeRefusal(w, r, refused)
			return
		}
		if !session {
			http.SetCookie(w, a.open(name))
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, name)))
	})
}

// SetPassword changes the password of the account in Options.Username and ends its sessions.
func (c *control) SetPassword(password string) { c.auth.setAccount(c.username, password) }

// SetAccount adds a further account, or changes the password of one and ends its sessions.
func (c *control) SetAccount(name, password string) { c.auth.setAccount(name, password) }

// getMe answers GET /users/me, by which clients open sessions.
func (api *v3API) getMe(r *http.Request) (int, any, error) {
	name := accountOf(r.Context())
	body := entity{
		APIVersion: apiVersion,
		Metadata:   &metadata{Kind: "user", UUID: api.ownerUUID, SpecVersion: new(int64(0)), Categories: map[string]string{}},
		Spec:       map[string]any{"resources": map[string]any{}},
		Status: map[string]any{
			"state": stateComplete, "name": name,
			"resources": map[string]any{"user_type": "LOCAL", "display_name": name},
		},
	}
	return http.StatusOK, body, nil
}
