// Package session authenticates requests to Prism Central: with credentials, or with the cookies by which Prism Central knows
// a client again, so that it need not check a password for every request.
package session

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// APIKeyHeader carries the key of a Prism service account.
const APIKeyHeader = "X-Ntnx-Api-Key"

const (
	// suffix marks the cookies that authenticate: NTNX_IGW_SESSION, NTNX_MERCURY_IAM_SESSION. Others, for example those of a
	// load balancer, do not and are not kept.
	suffix = "_SESSION"
	// trial is how long a session must have lived for its end to be ordinary (Prism Central's last 15 minutes). One that is
	// refused sooner was never good for anything.
	trial = 30 * time.Second
	// rest is how long no session is used after one that was refused at once.
	rest = 10 * time.Minute
)

// Credentials say as whom Prism Central is addressed. An API key wins over a password, and there are no sessions for it.
type Credentials struct{ Username, Password, APIKey string }

// Session is the session with one Prism Central for one set of credentials. It is safe for concurrent use.
//
// A request that carried it and is answered 401 did nothing: tell Refused, and send it once more without the session.
type Session struct {
	// credentials are behind a pointer, as cookies are, so that a printed Session does not show them.
	credentials *Credentials
	now         func() time.Time

	mu        sync.Mutex
	kept      map[string]*cookie
	openedAt  time.Time
	restUntil time.Time
}

type cookie struct {
	name, value string
	// expires is zero when the answer did not say.
	expires time.Time
}

// Sent is what a request carried of a session; it is empty for one that carried credentials.
type Sent []*cookie

// New returns a session that is not open yet. The time is asked of now.
func New(credentials Credentials, now func() time.Time) *Session {
	return &Session{credentials: &credentials, now: now, kept: map[string]*cookie{}}
}

// Authenticate adds the session to a request if one may be used and there is one, and otherwise the credentials.
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
	for _, one := range s.kept {
		req.AddCookie(&http.Cookie{Name: one.name, Value: one.value})
		sent = append(sent, one)
	}
	return sent
}

// Learn keeps the session that an answer opens, renews or ends. An answer that is no success opens none.
func (s *Session) Learn(resp *http.Response) {
	if resp.StatusCode >= http.StatusMultipleChoices || s.credentials.APIKey != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.restUntil) {
		return
	}
	s.expire(now)
	for _, got := range resp.Cookies() {
		if !strings.HasSuffix(got.Name, suffix) {
			continue
		}
		if got.MaxAge < 0 || got.Value == "" {
			delete(s.kept, got.Name)
			continue
		}
		if len(s.kept) == 0 {
			s.openedAt = now
		}
		s.kept[got.Name] = &cookie{name: got.Name, value: got.Value, expires: expiry(got, now)}
	}
}

// Refused forgets the session that was sent, unless the answer to another request has already replaced it.
func (s *Session) Refused(sent Sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	forgotten := false
	for _, one := range sent {
		if s.kept[one.name] == one {
			delete(s.kept, one.name)
			forgotten = true
		}
	}
	if now := s.now(); forgotten && now.Sub(s.openedAt) < trial {
		clear(s.kept)
		s.restUntil = now.Add(rest)
	}
}

// expire drops what has ended by itself.
func (s *Session) expire(now time.Time) {
	for name, one := range s.kept {
		if !one.expires.IsZero() && !now.Before(one.expires) {
			delete(s.kept, name)
		}
	}
}

// expiry is when a cookie ends; Max-Age wins over Expires (RFC 6265, 5.3).
func expiry(got *http.Cookie, now time.Time) time.Time {
	if got.MaxAge > 0 {
		return now.Add(time.Duration(got.MaxAge) * time.Second)
	}
	return got.Expires
}
