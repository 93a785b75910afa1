// Package session authenticates requests to Prism Central with credentials or with the session cookies from an earlier response. Prism
// Central does not check the password if a request has a valid session.
package session

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// APIKeyHeader is the header that contains the key of a Prism service account.
const APIKeyHeader = "X-Ntnx-Api-Key"

const (
	// cookieSuffix is the suffix of the names of session cookies, for example NTNX_IGW_SESSION and NTNX_MERCURY_IAM_SESSION. Other cookies,
	// for example the cookies of a load balancer, are not stored.
	cookieSuffix = "_SESSION"
	// minLifetime distinguishes an expired session from a session that Prism Central never accepted. Sessions of Prism Central last 15
	// minutes.
	minLifetime = 30 * time.Second
	// pause is how long only credentials are used after Prism Central has rejected a session that was younger than minLifetime.
	pause = 10 * time.Minute
)

// Credentials contains the credentials for a Prism Central. An API key takes precedence over a password. Sessions are not used with an
// API key.
type Credentials struct{ Username, Password, APIKey string }

// Session is the session with one Prism Central for one set of credentials. It is safe for concurrent use.
//
// If a request with a session gets status 401, Prism Central has not executed it. The caller passes the session to Refused and sends the
// request again with the credentials.
type Session struct {
	// credentials and cookies are pointers, so that the output of a printed Session does not contain secrets.
	credentials *Credentials
	now         func() time.Time

	mu sync.Mutex
	// cookies maps the names of the session cookies to the cookies.
	cookies     map[string]*cookie
	openedAt    time.Time
	pausedUntil time.Time
}

type cookie struct {
	name, value string
	// expires is zero if the response contained no expiry time.
	expires time.Time
}

// Sent identifies the session with which a request was sent. It is empty if the request was sent with the credentials.
type Sent []*cookie

// New returns a session without cookies. now returns the current time.
func New(credentials Credentials, now func() time.Time) *Session {
	return &Session{credentials: &credentials, now: now, cookies: map[string]*cookie{}}
}

// Authenticate adds the session to a request if mayUseSession is true and a session is open. Otherwise it adds the credentials.
func (s *Session) Authenticate(req *http.Request, mayUseSession bool) Sent {
	if s.credentials.APIKey != "" {
		req.Header.Set(APIKeyHeader, s.credentials.APIKey)
		return nil
	}
	if mayUseSession {
		if sent := s.attach(req); len(sent) > 0 {
			return sent
		}
	}
	req.SetBasicAuth(s.credentials.Username, s.credentials.Password)
	return nil
}

func (s *Session) attach(req *http.Request) Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(s.now())
	var sent Sent
	for _, one := range s.cookies {
		req.AddCookie(&http.Cookie{Name: one.name, Value: one.value})
		sent = append(sent, one)
	}
	return sent
}

// Learn updates the session with the cookies of a successful response.
func (s *Session) Learn(resp *http.Response) {
	if resp.StatusCode >= http.StatusMultipleChoices || s.credentials.APIKey != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.pausedUntil) {
		return
	}
	s.expire(now)
	for _, got := range resp.Cookies() {
		if !strings.HasSuffix(got.Name, cookieSuffix) {
			continue
		}
		if got.MaxAge < 0 || got.Value == "" {
			delete(s.cookies, got.Name)
			continue
		}
		if len(s.cookies) == 0 {
			s.openedAt = now
		}
		s.cookies[got.Name] = &cookie{name: got.Name, value: got.Value, expires: expiry(got, now)}
	}
}

// Refused removes a session that Prism Central has rejected. It does nothing if another response has replaced the session since.
func (s *Session) Refused(sent Sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	removed := false
	for _, one := range sent {
		if s.cookies[one.name] == one {
			delete(s.cookies, one.name)
			removed = true
		}
	}
	if now := s.now(); removed && now.Sub(s.openedAt) < minLifetime {
		clear(s.cookies)
		s.pausedUntil = now.Add(pause)
	}
}

// expire removes expired cookies.
func (s *Session) expire(now time.Time) {
	for name, one := range s.cookies {
		if !one.expires.IsZero() && !now.Before(one.expires) {
			delete(s.cookies, name)
		}
	}
}

// expiry returns the time at which a cookie expires. Max-Age takes precedence over Expires (RFC 6265, section 5.3).
func expiry(got *http.Cookie, now time.Time) time.Time {
	if got.MaxAge > 0 {
		return now.Add(time.Duration(got.MaxAge) * time.Second)
	}
	return got.Expires
}
