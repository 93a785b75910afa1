package prismv4_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

func TestReadsAreRetried(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers  []http.HandlerFunc
		requests int
		kind     prismv4.Kind
	}{
		"an answer lost twice":            {[]http.HandlerFunc{lost, lost, answer(200, aVM)}, 3, ""},
		"503, 500":                        {[]http.HandlerFunc{answer(503, `{}`), answer(500, `{}`), answer(200, aVM)}, 3, ""},
		"429 with Retry-After":            {[]http.HandlerFunc{answer(429, `{}`, "Retry-After", "0"), answer(200, aVM)}, 2, ""},
		"a proxy's page":                  {[]http.HandlerFunc{page(404), answer(200, aVM)}, 2, ""},
		"a page that claims success":      {[]http.HandlerFunc{page(200), answer(200, aVM)}, 2, ""},
		"never anything else":             {[]http.HandlerFunc{page(404)}, 3, prismv4.Unavailable},
		"longer than is worth waiting":    {[]http.HandlerFunc{answer(503, `{}`, "Retry-After", "3600")}, 1, prismv4.Unavailable},
		"a redirect, which is not obeyed": {[]http.HandlerFunc{answer(302, ``, "Location", "https://elsewhere.invalid/")}, 3, prismv4.Unavailable},
		"wrong credentials":               {[]http.HandlerFunc{answer(401, `{}`)}, 1, prismv4.Unauthorized},
		"no such VM":                      {[]http.HandlerFunc{answer(404, refusal("vmm", "VMM-30100", "VM_NOT_FOUND", "not found"))}, 1, prismv4.NotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmPath, test.answers...)
			vm, err := c.client(t, nil).VM(t.Context(), vmUUID)
			require.Equal(t, test.kind, prismv4.KindOf(err), "%v", err)
			if test.kind == "" {
				assert.Equal(t, "node-1", vm.Name)
			}
			assert.Len(t, c.Requests(), test.requests)
			for _, one := range c.Requests() {
				assert.Equal(t, c.Requests()[0].RequestID, one.RequestID)
			}
		})
	}
}

func TestErrorContainsRetryAfter(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmPath, answer(http.StatusServiceUnavailable, `{}`, "Retry-After", "3600"))
	_, err := c.client(t, nil).VM(t.Context(), vmUUID)
	var failure *prismv4.Error
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, time.Hour, failure.RetryAfter)
	assert.Equal(t, http.StatusServiceUnavailable, failure.Status)
}

// A write is retried with the same request ID if its response was lost or if Prism Central did not accept it. Each call has its own ID.
func TestWritesAreRetriedWithSameRequestID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		first    http.HandlerFunc
		requests int
	}{
		"reply lost":             {lost, 2},
		"502":                    {page(502), 2},
		"503":                    {answer(503, `{}`), 2},
		"504":                    {page(504), 2},
		"429":                    {answer(429, `{}`), 2},
		"500 may have done half": {answer(500, `{}`), 1},
		"a proxy's 404":          {page(404), 1},
		"refused":                {answer(422, refusal("networking", "N-1", "", "invalid")), 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.Task(taskState("SUCCEEDED", ""))
			c.On(deletedPath, test.first, accepted())
			client := c.client(t, nil)
			err := client.Delete(t.Context())
			assert.Equal(t, test.requests == 2, err == nil, "%v", err)
			require.Len(t, c.Requests(), test.requests)
			for _, one := range c.Requests() {
				assert.Equal(t, c.Requests()[0].RequestID, one.RequestID)
				assert.Equal(t, "etag-1", one.IfMatch)
			}
			before := c.Requests()[0].RequestID
			c.Forget()
			require.NoError(t, client.Delete(t.Context()))
			assert.NotEqual(t, before, c.Requests()[0].RequestID)
		})
	}
}

func TestEndOfContextEndsCall(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := map[string]func(central){
		"hanging server":  func(c central) { c.On(vmPath, hang) },
		"hanging version": func(c central) { c.On("OPTIONS", hang) },
		"pause between":   func(c central) { c.On(vmPath, answer(503, `{}`, "Retry-After", "9")) },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			prepare(c)
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) { l.Timeout = time.Second })
			_, err := client.VM(ctx, vmUUID)
			assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err))
			require.NoError(t, t.Context().Err())
			if name != "pause between" {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
	t.Run("the configured timeout, when the context has none", func(t *testing.T) {
		c := newCentral(t)
		c.On(vmPath, hang)
		client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) { l.Timeout = 150 * time.Millisecond })
		_, err := client.VM(t.Context(), vmUUID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err))
	})
}

func TestTrust(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmPath, answer(200, aVM))
	tests := map[string]struct {
		change func(*prismv4.Endpoint)
		fails  string
	}{
		"bundle":                     {func(*prismv4.Endpoint) {}, ""},
		"insecure":                   {func(e *prismv4.Endpoint) { e.TrustBundle, e.Insecure = nil, true }, ""},
		"neither":                    {func(e *prismv4.Endpoint) { e.TrustBundle = nil }, "certificate"},
		"a bundle of something else": {func(e *prismv4.Endpoint) { e.TrustBundle = []byte("-----BEGIN") }, "no certificate in PEM format"},
		"no address":                 {func(e *prismv4.Endpoint) { e.Address = "" }, "address of Prism Central is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c.Forget()
			_, err := c.client(t, func(e *prismv4.Endpoint, _ *prismv4.Limits) { test.change(e) }).VM(t.Context(), vmUUID)
			if test.fails == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.fails)
			assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err))
			assert.Empty(t, c.Requests())
		})
	}
}

// A session is used instead of the password and is renewed when it has ended. With an API key, no session is used.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	var valid atomic.Value
	valid.Store("s1")
	c.On(vmPath, func(w http.ResponseWriter, r *http.Request) {
		_, password, basic := r.BasicAuth()
		cookie, err := r.Cookie("NTNX_IGW_SESSION")
		switch {
		case basic && password == testPassword:
			http.SetCookie(w, &http.Cookie{Name: "NTNX_IGW_SESSION", Value: valid.Load().(string), Secure: true, HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "BALANCER", Value: "x"})
			answer(200, aVM)(w, r)
		case err == nil && cookie.Value == valid.Load():
			answer(200, aVM)(w, r)
		case r.Header.Get("X-ntnx-api-key") == testKey:
			answer(200, aVM)(w, r)
		default:
			answer(401, `{}`)(w, r)
		}
	})
	client := c.client(t, nil)
	ask := func(client testClient) []prismv4test.Request {
		c.Forget()
		_, err := client.VM(t.Context(), vmUUID)
		require.NoError(t, err)
		return c.Requests()
	}
	assert.NotEmpty(t, ask(client)[0].Header.Get("Authorization"), "the first request has the password")
	second := ask(client)
	assert.Empty(t, second[0].Header.Get("Authorization"))
	assert.Equal(t, "NTNX_IGW_SESSION=s1", second[0].Header.Get("Cookie"), "and nothing but the session")

	valid.Store("s2")
	third := ask(client)
	require.Len(t, third, 2, "a refused session is followed by the password")
	assert.NotEmpty(t, third[1].Header.Get("Authorization"))
	assert.Equal(t, third[0].RequestID, third[1].RequestID)

	withKey := c.client(t, func(e *prismv4.Endpoint, _ *prismv4.Limits) { e.Username, e.Password, e.APIKey = "", "", testKey })
	for range 2 {
		asked := ask(withKey)
		assert.Empty(t, asked[0].Header.Get("Authorization")+asked[0].Header.Get("Cookie"))
		assert.Equal(t, testKey, asked[0].Header.Get("X-ntnx-api-key"))
	}
}

// A request whose session has ended is sent again once with the password, even if another request has renewed the session meanwhile.
func TestRefusedSessionIsFollowedByPassword(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	var client testClient
	renewed := answer(200, aVM, "Set-Cookie", "NTNX_IGW_SESSION=s2; Secure")
	c.On(vmPath, answer(200, aVM, "Set-Cookie", "NTNX_IGW_SESSION=s1; Secure"), func(w http.ResponseWriter, r *http.Request) {
		_, err := client.VM(r.Context(), vmUUID)
		assert.NoError(t, err)
		answer(401, `{}`)(w, r)
	}, renewed, func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); ok && password == testPassword {
			answer(200, aVM)(w, r)
			return
		}
		answer(401, `{}`)(w, r)
	})
	client = c.client(t, nil)
	for range 2 {
		_, err := client.VM(t.Context(), vmUUID)
		require.NoError(t, err)
	}
}

// A changed endpoint is used without a new client, and without the session and the versions of the old endpoint.
func TestChangedEndpointTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	one, two := newCentral(t), newCentral(t)
	one.On(vmPath, answer(200, aVM, "Set-Cookie", "NTNX_IGW_SESSION=of-one; Secure"))
	two.Version = "v4.0"
	two.On(vmPath, answer(200, aVM))
	endpoint := one.Endpoint(t)
	client := testClient{prismv4.New(prismv4.Options{Endpoint: func(context.Context) (prismv4.Endpoint, error) { return endpoint, nil }})}
	ask := func() {
		_, err := client.VM(t.Context(), vmUUID)
		require.NoError(t, err)
	}
	ask()
	ask()
	assert.Equal(t, 1, one.Negotiated())
	endpoint = two.Endpoint(t)
	endpoint.Password = "another"
	ask()
	require.Len(t, two.Requests(), 1)
	assert.Equal(t, "/api/vmm/v4.0/ahv/config/vms/"+vmUUID, two.Requests()[0].Path)
	assert.Empty(t, two.Requests()[0].Header.Get("Cookie"))
	assert.Len(t, one.Requests(), 2)

	reason := errors.New("no such Secret")
	broken := testClient{prismv4.New(prismv4.Options{Endpoint: func(context.Context) (prismv4.Endpoint, error) { return prismv4.Endpoint{}, reason }})}
	_, err := broken.VM(t.Context(), vmUUID)
	require.ErrorIs(t, err, reason)
	assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmPath, answer(200, aVM))
	client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) {
		l.RequestsPerSecond, l.Burst = 0.01, 3 // the next turn is later than the end of any request
	})
	for range 2 { // the first of three requests asked for the version
		_, err := client.VM(t.Context(), vmUUID)
		require.NoError(t, err)
	}
	_, err := client.VM(t.Context(), vmUUID)
	require.EqualError(t, err, "VM: Throttled: waiting for the rate limit: the rate limit (qps) is used up; it is tried again")
	assert.Equal(t, prismv4.Throttled, prismv4.KindOf(err), "Prism Central was not asked")
	assert.Len(t, c.Requests(), 2)

	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err = client.VM(gone, vmUUID)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err), "it was the caller who left")
}

func TestFailureBeforeRateLimitIsReported(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmPath, answer(503, `{}`))
	client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) { l.RequestsPerSecond, l.Burst = 0.01, 2 })
	_, err := client.VM(t.Context(), vmUUID)
	require.ErrorContains(t, err, "HTTP 503")
	assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err))
	assert.Len(t, c.Requests(), 1)
}

func TestRequestsReuseConnection(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	var remote atomic.Value
	c.On(vmPath, func(w http.ResponseWriter, r *http.Request) {
		if before := remote.Swap(r.RemoteAddr); before != nil && before != r.RemoteAddr {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "another connection")
			return
		}
		answer(200, aVM)(w, r)
	})
	client := c.client(t, nil)
	for range 5 {
		_, err := client.VM(t.Context(), vmUUID)
		require.NoError(t, err)
	}
}

func TestInvalidIDsAreNotSent(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	client := c.client(t, nil)
	for _, id := range []string{"", ".", ".."} {
		_, err := client.VM(t.Context(), id)
		assert.Equal(t, prismv4.Invalid, prismv4.KindOf(err))
	}
	c.On("GET vmm/ahv/config/vms/a/b?c", answer(200, `{"data":{"extId":"a/b?c"}}`))
	vm, err := client.VM(t.Context(), "a/b?c")
	require.NoError(t, err)
	assert.Equal(t, "a/b?c", vm.ExtID)
	assert.Len(t, c.Requests(), 1)
}
