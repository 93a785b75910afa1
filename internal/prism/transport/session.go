package transport

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// sessionSuffix marks the cookies that authenticate: NTNX_IGW_SESSION, NTNX_MERCURY_IAM_SESSION. Others, for example
	// those of a load balancer, do not and are not kept.
	sessionSuffix = "_SESSION"
	// sessionTrial is how long a session must have lived for its end to be ordinary (Prism Central's last 15 minutes).
	// One that is refused sooner was never good for anything.
	sessionTrial = 30 * time.Second
	// sessionRest is how long no session is used after one that was refused at once.
	sessionRest = 10 * time.Minute
)

// session keeps the session cookies of one upstream. It is safe for concurrent use.
type session struct {
	mu        sync.Mutex
	now       func() time.Time
	kept      map[string]*http.Cookie
	openedAt  time.Time
	restUntil time.Time
}

func newSession() *session {
	return &session{now: time.Now, kept: map[string]*http.Cookie{}}
}

// cookies returns what authenticates a request, nothing when there is no session.
func (s *session) cookies() []*http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.restUntil) {
		return nil
	}
	var live []*http.Cookie
	for name, cookie := range s.kept {
		if !cookie.Expires.IsZero() && !now.Before(cookie.Expires) {
			delete(s.kept, name)
			continue
		}
		live = append(live, cookie)
	}
	return live
}

// learn keeps the session cookies of an answer.
func (s *session) learn(cookies []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, cookie := range cookies {
		if !strings.HasSuffix(cookie.Name, sessionSuffix) {
			continue
		}
		if cookie.MaxAge < 0 || cookie.Value == "" {
			delete(s.kept, cookie.Name)
			continue
		}
		if cookie.MaxAge > 0 {
			cookie.Expires = now.Add(time.Duration(cookie.MaxAge) * time.Second)
		}
		if len(s.kept) == 0 {
			s.openedAt = now
		}
		s.kept[cookie.Name] = cookie
	}
}

// refused forgets the session that was sent, unless another request has already replaced it.
func (s *session) refused(sent []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	forgotten := false
	for _, cookie := range sent {
		if s.kept[cookie.Name] == cookie {
			delete(s.kept, cookie.Name)
			forgotten = true
		}
	}
	if forgotten && s.now().Sub(s.openedAt) < sessionTrial {
		s.restUntil = s.now().Add(sessionRest)
	}
}
