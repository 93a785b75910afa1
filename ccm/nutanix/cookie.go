package nutanix

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// sessionSuffix marks the cookies that authenticate, for example NTNX_IGW_SESSION. Others, for example those of a load
	// balancer in front of Prism Central, are not kept.
	sessionSuffix = "_SESSION"
	// sessionTrial is how long a session must have lived for its end to be ordinary: Prism Central's last 15 minutes.
	sessionTrial = 30 * time.Second
	// sessionRest is how long no session is used after one that was refused at once.
	sessionRest = 10 * time.Minute
)

// session keeps the cookies by which Prism Central knows us, so that it need not check a password for every request.
type session struct {
	now func() time.Time

	mu        sync.Mutex
	kept      []*http.Cookie
	openedAt  time.Time
	restUntil time.Time
}

func newSession(now func() time.Time) *session { return &session{now: now} }

func (s *session) cookies() []*http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept
}

// learn keeps the session that an answer opens. A request that was sent with credentials opens a new one each time; the
// first is kept until it is refused.
func (s *session) learn(cookies []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) > 0 || s.now().Before(s.restUntil) {
		return
	}
	for _, cookie := range cookies {
		if strings.HasSuffix(cookie.Name, sessionSuffix) && cookie.Value != "" && cookie.MaxAge >= 0 {
			s.kept = append(s.kept, cookie)
		}
	}
	s.openedAt = s.now()
}

// refused forgets the session that was sent, unless another one has taken its place meanwhile.
func (s *session) refused(sent []*http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(sent) == 0 || len(s.kept) == 0 || sent[0] != s.kept[0] {
		return
	}
	s.kept = nil
	if s.now().Sub(s.openedAt) < sessionTrial {
		s.restUntil = s.now().Add(sessionRest)
	}
}
