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

// clock is a clock whose time the tests set.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) advance(by time.Duration) { c.Time = c.Add(by) }

func newSession() (*Session, *clock) {
	c := &clock{time.Unix(1000, 0)}
	return New(Credentials{Username: "admin", Password: "secret-value"}, c.now), c
}

// learn passes a response with the Set-Cookie headers cookies to the session s.
func learn(s *Session, status int, cookies ...string) {
	s.Learn(&http.Response{StatusCode: status, Header: http.Header{"Set-Cookie": cookies}})
}

// authenticate authenticates a new request. It returns the sorted cookies of the request, or its user name if it has no cookies.
func authenticate(s *Session) ([]string, Sent) {
	req := &http.Request{Header: http.Header{}}
	sent := s.Authenticate(req, true)
	var used []string
	for _, one := range req.Cookies() {
		used = append(used, one.Name+"="+one.Value)
	}
	slices.Sort(used)
	if username, _, ok := req.BasicAuth(); ok {
		used = append(used, username)
	}
	return used, sent
}

// assertUses asserts that requests are sent with the cookies want. If want is empty, it asserts that they are sent with the password.
func assertUses(t *testing.T, s *Session, want ...string) {
	t.Helper()
	got, sent := authenticate(s)
	assert.Len(t, sent, len(want))
	if len(want) == 0 {
		want = []string{"admin"}
	}
	assert.Equal(t, want, got)
}

func TestSessionIsUsedOnlyIfAllowed(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
	req := &http.Request{Header: http.Header{}}
	assert.Empty(t, s.Authenticate(req, false))
	assert.Empty(t, req.Cookies())
	_, password, _ := req.BasicAuth()
	assert.Equal(t, "secret-value", password)
}

func TestAPIKeyUsesNoSession(t *testing.T) {
	s := New(Credentials{Username: "admin", Password: "p", APIKey: "key"}, time.Now)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
	req := &http.Request{Header: http.Header{}}
	assert.Empty(t, s.Authenticate(req, true))
	assert.Equal(t, http.Header{APIKeyHeader: {"key"}}, req.Header)
}

func TestLearnKeepsSessionCookies(t *testing.T) {
	const one, two = "NTNX_IGW_SESSION=a", "NTNX_MERCURY_IAM_SESSION=b"
	for name, test := range map[string]struct {
		status  int
		cookies []string
		want    []string
	}{
		"session cookies":         {http.StatusOK, []string{one + "; Path=/; Secure; HttpOnly", two}, []string{one, two}},
		"other cookies":           {http.StatusAccepted, []string{one, "balancer=c"}, []string{one}},
		"no cookies":              {http.StatusOK, nil, nil},
		"failed response":         {http.StatusBadGateway, []string{one}, nil},
		"unauthorized response":   {http.StatusUnauthorized, []string{one}, nil},
		"two cookies of one name": {http.StatusOK, []string{"NTNX_IGW_SESSION=old", one}, []string{one}},
		"deleted cookie":          {http.StatusOK, []string{one, two, "NTNX_IGW_SESSION=x; Max-Age=0"}, []string{two}},
		"empty cookie":            {http.StatusOK, []string{one, "NTNX_IGW_SESSION="}, nil},
		"expired cookie":          {http.StatusOK, []string{one + "; Expires=Thu, 01 Jan 1970 00:00:01 GMT"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newSession()
			learn(s, test.status, test.cookies...)
			assertUses(t, s, test.want...)
		})
	}
}

func TestSessionCookiesExpire(t *testing.T) {
	s, clock := newSession()
	learn(s, http.StatusOK,
		"NTNX_IGW_SESSION=a; Max-Age=60; Expires=Thu, 01 Jan 1970 01:00:00 GMT",
		"NTNX_MERCURY_IAM_SESSION=b; Expires="+clock.Add(2*time.Minute).UTC().Format(http.TimeFormat))
	clock.advance(time.Minute)
	assertUses(t, s, "NTNX_MERCURY_IAM_SESSION=b")
	clock.advance(time.Minute)
	assertUses(t, s)
}

func TestRefusedKeepsAReplacedSession(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=old")
	_, sent := authenticate(s)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=new")
	s.Refused(sent)
	assertUses(t, s, "NTNX_IGW_SESSION=new")
}

// TestNoSessionIsUsedAfterEarlyRefusal proves that only a session that is rejected within minLifetime starts a pause.
func TestNoSessionIsUsedAfterEarlyRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		lifetime time.Duration
		pauses   bool
	}{
		"refused at once":            {0, true},
		"refused within minLifetime": {minLifetime - 1, true},
		"refused later":              {minLifetime, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := newSession()
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=a")
			_, sent := authenticate(s)
			clock.advance(test.lifetime)
			s.Refused(sent)
			assertUses(t, s)
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=b")
			if !test.pauses {
				assertUses(t, s, "NTNX_IGW_SESSION=b")
				return
			}
			assertUses(t, s)
			clock.advance(pause)
			assertUses(t, s)
			learn(s, http.StatusOK, "NTNX_IGW_SESSION=c")
			assertUses(t, s, "NTNX_IGW_SESSION=c")
		})
	}
}

// TestLifetimeStartsWithEachSession proves that the lifetime is measured for each session, and does not include the lifetime of an
// earlier one.
func TestLifetimeStartsWithEachSession(t *testing.T) {
	s, clock := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=a; Max-Age=60")
	clock.advance(time.Hour)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=b")
	_, sent := authenticate(s)
	s.Refused(sent)
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=c")
	assertUses(t, s)
}

func TestSessionHidesItsSecrets(t *testing.T) {
	s, _ := newSession()
	learn(s, http.StatusOK, "NTNX_IGW_SESSION=secret-value")
	_, sent := authenticate(s)
	assert.Len(t, sent, 1)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		assert.NotContains(t, fmt.Sprintf(format+format, s, sent), "secret-value")
	}
}

// TestConcurrentRefusals uses a session concurrently, so that the race detector can find data races. After all requests, the session that
// was opened last has been rejected.
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
	assertUses(t, s)
}
