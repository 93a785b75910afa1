package transport

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clock is a time that a test sets while requests read it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// sharing returns a transport with the Upstreams.
func (c *central) sharing(t *testing.T, upstreams *Upstreams, password string) *Transport {
	t.Helper()
	upstream := c.transport(t, password).upstream
	transport, err := New(upstream, Options{Upstreams: upstreams})
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// get sends a read and returns the status of the response.
func get(ctx context.Context, transport *Transport) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://elsewhere.invalid/api/nutanix/v3/vms/1", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// Two transports with the same credentials, as of the controllers and of the gateway, log in once after each pause.
func TestRefusedCredentialsAreTriedRarely(t *testing.T) {
	central := newCentral(t)
	clock := &clock{now: time.Unix(1000, 0)}
	upstreams := NewUpstreams(clock.Now)
	transports := []*Transport{central.sharing(t, upstreams, "old"), central.sharing(t, upstreams, "old")}
	all := func() {
		var requests sync.WaitGroup
		for i := range 300 {
			requests.Go(func() {
				status, err := get(t.Context(), transports[i%2])
				var refused *CredentialsRefusedError
				if err == nil {
					assert.Equal(t, http.StatusUnauthorized, status)
				} else if assert.ErrorAs(t, err, &refused) {
					assert.Positive(t, refused.RetryAt.Sub(clock.Now()))
				}
			})
		}
		requests.Wait()
	}
	all()
	assert.Len(t, central.seen(), 1)
	require.Error(t, transports[1].Refused())
	clock.advance(firstPause - time.Second)
	all()
	assert.Empty(t, central.seen())
	for range 3 {
		clock.advance(furtherPause)
		require.NoError(t, transports[0].Refused(), "the next login is due")
		all()
		assert.Len(t, central.seen(), 1)
	}
	logged := 0
	for clock.now = time.Unix(1000, 0); clock.now.Before(time.Unix(1000, 0).Add(15 * time.Minute)); clock.advance(time.Second) {
		transport := central.sharing(t, upstreams, "another")
		_, _ = get(t.Context(), transport)
		transport.CloseIdleConnections()
		logged += len(central.seen())
	}
	assert.Equal(t, 4, logged, "logins in 15 minutes")
}

func TestCredentialsAreAcceptedAgain(t *testing.T) {
	central := newCentral(t)
	clock := &clock{now: time.Unix(1000, 0)}
	upstreams := NewUpstreams(clock.Now)
	transport := central.sharing(t, upstreams, "corrected")
	status, err := get(t.Context(), transport)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Error(t, transport.Refused())

	other := central.sharing(t, upstreams, "pw")
	status, err = get(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "changed credentials are tried at once")

	central.setPassword("corrected")
	_, err = get(t.Context(), transport)
	var refused *CredentialsRefusedError
	require.ErrorAs(t, err, &refused)
	clock.advance(firstPause)
	for range 2 {
		status, err = get(t.Context(), transport)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
	}
}

// When the session ends because the password has changed, only one of the concurrent requests logs in.
func TestExpiredSessionCausesOneLogin(t *testing.T) {
	central := newCentral(t)
	transport := central.transport(t, "pw")
	status, err := get(t.Context(), transport)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	central.expireSession()
	central.setPassword("changed")
	central.seen()
	var requests sync.WaitGroup
	for range 100 {
		requests.Go(func() { _, _ = get(t.Context(), transport) })
	}
	requests.Wait()
	logins := 0
	for _, request := range central.seen() {
		if request == "GET admin:pw" {
			logins++
		}
	}
	assert.Equal(t, 1, logins)
}

func TestOnlyStatus401RefusesCredentials(t *testing.T) {
	for _, status := range []int{0, http.StatusOK, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		l := NewUpstreams(time.Now).login(Upstream{})
		attempt, err := l.begin(t.Context())
		require.NoError(t, err)
		l.end(attempt, status)
		assert.NoError(t, l.refused(), status)
	}
}

// A response to OPTIONS, to which Prism Central may respond without checking the credentials, does not make a later login possible.
func TestOptionsDoNotShowThatCredentialsAreAccepted(t *testing.T) {
	central := newCentral(t)
	transport := central.transport(t, "wrong")
	for range 3 {
		status, _ := do(t, transport, http.MethodOptions, "/api/vmm/unversioned/info", "")
		assert.Equal(t, http.StatusOK, status)
	}
	status, err := get(t.Context(), transport)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status)
	central.seen()
	_, err = get(t.Context(), transport)
	require.ErrorAs(t, err, new(*CredentialsRefusedError))
	assert.Empty(t, central.seen())
}

// A request to which Prism Central does not respond does not stop the others.
func TestLoginWithoutResponseDoesNotStopOthers(t *testing.T) {
	l := NewUpstreams(time.Now).login(Upstream{})
	hanging, err := l.begin(t.Context())
	require.NoError(t, err)
	first, mine, err := l.enter(false)
	require.NoError(t, err)
	assert.Same(t, hanging, first)
	assert.Nil(t, mine)
	first, mine, err = l.enter(true) // after maxLoginWait
	require.NoError(t, err)
	assert.Nil(t, first)
	l.end(mine, http.StatusOK)
	_, err = l.begin(t.Context())
	require.NoError(t, err)
	l.end(hanging, 0)

	canceled, cancel := context.WithCancel(t.Context())
	l.doubt()
	_, err = l.begin(t.Context())
	require.NoError(t, err)
	cancel()
	_, err = l.begin(canceled)
	require.ErrorIs(t, err, context.Canceled)
}

// A response that arrives late does not change what a newer response has shown.
func TestLateResponseIsIgnored(t *testing.T) {
	l := NewUpstreams(time.Now).login(Upstream{})
	l.acceptedAt = time.Now()
	early, err := l.begin(t.Context())
	require.NoError(t, err)
	late, err := l.begin(t.Context())
	require.NoError(t, err)
	l.doubt()
	l.end(early, http.StatusUnauthorized)
	l.end(late, http.StatusOK)
	require.Error(t, l.refused())
}

// One refusal of credentials that Prism Central accepts at the same time does not stop the other requests.
func TestRefusalOfAcceptedCredentialsIsConfirmed(t *testing.T) {
	l := NewUpstreams(time.Now).login(Upstream{})
	refuse := func() {
		attempt, err := l.begin(t.Context())
		require.NoError(t, err)
		l.end(attempt, http.StatusUnauthorized)
	}
	l.acceptedAt = time.Now()
	refuse()
	require.NoError(t, l.refused())
	refuse()
	require.Error(t, l.refused())
}
