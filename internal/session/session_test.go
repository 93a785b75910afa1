package session

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// clock is a time that only a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) pass(by time.Duration) { c.Time = c.Add(by) }

func newSession() (*Session, *clock) {
	c := &clock{time.Unix(1000, 0)}
	return New(Credentials{Username: "admin", Password: "not-to-be-seen"}, c.now), c
}

// learn gives a session an answer with cookies, as they are in the header Set-Cookie.
func learn(s *Session, status int, cookies ...string) {
	s.Learn(&http.Response{StatusCode: status, Header: http.Header{"Set-Cookie": cookies}})
}

// carried gives what a request carries now: cookies in order, or the password.
func carried(s *Session) ([]string, Sent) {
	req := &http.Request{Header: http.Header{}}
	sent := s.Authenticate(req, true)
	var carried []string
	for _, one := range req.Cookies() {
		carried = append(carried, one.Name+"="+one.Value)
	}
	slices.Sort(carried)
	if username, _, ok := req.BasicAuth(); ok {
		carried = append(carried, username)
	}
	return carried, sent
}

// assertCarries asserts that requests carry these cookies, or the password if there are none.
func assertCarries(t *testing.T, s *Session, want ...string) {
	t.Helper()
	got, sent := carried(s)
	assert.Len(t, sent, len(want))
	if len(want) == 0 {
		want = []string{"admin"}
	}
	assert.Equal(t, want, got)
}

func TestASessionIsUsedOnlyWhereItMayBe(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
	req := &http.Request{Header: http.Header{}}
	assert.Empty(t, s.Authenticate(req, false))
	assert.Empty(t, req.Cookies())
	_, password, _ := req.BasicAuth()
	assert.Equal(t, "not-to-be-seen", password)
}

func TestAnAPIKeyStandsForItself(t *testing.T) {
	s := New(Credentials{Username: "admin", Password: "p", APIKey: "key"}, time.Now)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
	req := &http.Request{Header: http.Header{}}
	assert.Empty(t, s.Authenticate(req, true))
	assert.Equal(t, http.Header{APIKeyHeader: {"key"}}, req.Header)
}

func TestWhatIsKept(t *testing.T) {
	const one, two = "NTNX_IGW_SESSION=a", "NTNX_MERCURY_IAM_SESSION=b"
	for name, test := range map[string]struct {
		status int
		learnt []string
		want   []string
	}{
		"session cookies":                  {http.StatusOK, []string{one + "; Path=/; Secure; HttpOnly", two}, []string{one, two}},
		"those that authenticate alone":    {http.StatusAccepted, []string{one, "balancer=c"}, []string{one}},
		"nothing when nothing was given":   {http.StatusOK, nil, nil},
		"nothing of a failure":             {http.StatusBadGateway, []string{one}, nil},
		"nothing of a refusal":             {http.StatusUnauthorized, []string{one}, nil},
		"the newest of a name":             {http.StatusOK, []string{"NTNX_IGW_SESSION=old", one}, []string{one}},
		"nothing that the answer takes":    {http.StatusOK, []string{one, two, "NTNX_IGW_SESSION=x; Max-Age=0"}, []string{two}},
		"nothing that is empty":            {http.StatusOK, []string{one, "NTNX_IGW_SESSION="}, nil},
		"nothing that has expired already": {http.StatusOK, []string{one + "; Expires=Thu, 01 Jan 1970 00:00:01 GMT"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newSession()
			learn(s, test.status, test.learnt...)
			assertCarries(t, s, test.want...)
		})
	}
}

func TestSessionCookiesEnd(t *testing.T) {
	s, clock := newSession()
	learn(s, http.StatusOK,
		"NTNX_IGW_SESSION=a; Max-Age=60; Expires=Thu, 01 Jan 1970 01:00:00 GMT",
		"NTNX_MERCURY_IAM_SESSION=b; Expires="+clock.Add(2*time.Minute).UTC().Format(http.TimeFormat))
	clock.pass(time.Minute)
	assertCarries(t, s, "NTNX_MERCURY_IAM_SESSION=b")
	clock.pass(time.Minute)
	assertCarries(t, s)
}

func TestAReplacedSessionIsNotForgotten(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=old")
	_, sent := carried(s)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=new")
	s.Refused(sent)
	assertCarries(t, s, "NTNX_IGW_SESSION=new")
}

// TestSessionsRestWhenTheyAreGoodForNothing proves that only a session that is refused at once keeps others from being tried.
func TestSessionsRestWhenTheyAreGoodForNothing(t *testing.T) {
	for name, test := range map[string]struct {
		lived time.Duration
		rests bool
	}{
		"refused at once":          {0, true},
		"refused within the trial": {trial - 1, true},
		"refused after it":         {trial, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := newSession()
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
			_, sent := carried(s)
			clock.pass(test.lived)
			s.Refused(sent)
			assertCarries(t, s)
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=b")
			if !test.rests {
				assertCarries(t, s, "NTNX_IGW_SESSION=b")
				return
			}
			assertCarries(t, s)
			clock.pass(rest)
			assertCarries(t, s)
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=c")
			assertCarries(t, s, "NTNX_IGW_SESSION=c")
		})
	}
}

// TestASessionAfterAnExpiredOneIsOnTrialToo proves that the age of a session is its own, not that of one before it.
func TestASessionAfterAnExpiredOneIsOnTrialToo(t *testing.T) {
	s, clock := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a; Max-Age=60")
	clock.pass(time.Hour)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=b")
	_, sent := carried(s)
	s.Refused(sent)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=c")
	assertCarries(t, s)
}

func TestASessionIsNotShown(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=not-to-be-seen")
	_, sent := carried(s)
	assert.Len(t, sent, 1)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(format+format, s, sent), "not-to-be-seen")
	}
}

// TestConcurrentRefusals is for the race detector too: however requests overlap, the last session that was opened is refused.
func TestConcurrentRefusals(t *testing.T) {
	s, _ := newSession()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				learn(s, http.StatusOK, fmt.Sprintf("NTNX_IGW_SESSION=%d", i))
				s.Refused(s.Authenticate(&http.Request{Header: http.Header{}}, true))
			}
		})
	}
	group.Wait()
	assertCarries(t, s)
}
