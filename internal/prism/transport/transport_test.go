package transport

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/session"
)

// central is a fake Prism Central. It opens a session for a request with the correct credentials and accepts the session until the test
// ends it.
type central struct {
	*httptest.Server
	mu       sync.Mutex
	valid    string   // the session that central accepts
	refuse   bool     // if true, central accepts no session
	requests []string // the credentials or the session of each request
	opened   int
	password string
}

func newCentral(t *testing.T) *central {
	t.Helper()
	c := &central{password: "pw"}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *central) serve(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	if cookie, err := req.Cookie("NTNX_IGW_SESSION"); err == nil {
		c.requests = append(c.requests, "session "+cookie.Value)
		if c.refuse || cookie.Value != c.valid {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(body)
		return
	}
	username, password, _ := req.BasicAuth()
	c.requests = append(c.requests, req.Method+" "+username+":"+password)
	if req.Method == http.MethodOptions {
		return // without checking the credentials
	}
	if password != c.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.opened++
	c.valid = fmt.Sprintf("s%d", c.opened)
	http.SetCookie(w, &http.Cookie{Name: "NTNX_IGW_SESSION", Value: c.valid, Path: "/", Secure: true})
	http.SetCookie(w, &http.Cookie{Name: "balancer", Value: "b", Path: "/"})
	_, _ = w.Write(body)
}

func (c *central) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.requests
	c.requests = nil
	return seen
}

func (c *central) setPassword(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.password = password
}

func (c *central) expireSession() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.valid = ""
}

func (c *central) transport(t *testing.T, password string) *Transport {
	t.Helper()
	transport, err := New(Upstream{
		Address:  c.Listener.Addr().String(),
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}),
		Username: "admin",
		Password: password,
	}, Options{})
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func do(t *testing.T, transport *Transport, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://elsewhere.invalid"+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(response)
}

func TestReadsRenewTheirSession(t *testing.T) {
	central := newCentral(t)
	transport := central.transport(t, "pw")
	now := time.Now().Add(-time.Hour)
	transport.session = session.New(session.Credentials{Username: "admin", Password: "pw"}, func() time.Time { return now })
	do(t, transport, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	do(t, transport, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	do(t, transport, http.MethodPost, "/api/nutanix/v3/vms/list", "{}")
	do(t, transport, http.MethodPost, "/api/nutanix/v3/groups", "{}")
	assert.Equal(t, []string{"GET admin:pw", "session s1", "session s1", "session s1"}, central.seen())

	now = time.Now()
	central.expireSession()
	status, body := do(t, transport, http.MethodPost, "/api/nutanix/v3/vms/list", `{"kind":"vm"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, `{"kind":"vm"}`, body, "the retry has the body")
	do(t, transport, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, []string{"session s1", "POST admin:pw", "session s2"}, central.seen())

	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		do(t, transport, method, "/api/nutanix/v3/vms", "{}")
	}
	assert.Equal(t, []string{"POST admin:pw", "PUT admin:pw", "PATCH admin:pw", "DELETE admin:pw"}, central.seen(), "writes carry the credentials")
}

func TestWrongCredentialsAreSentOnce(t *testing.T) {
	central := newCentral(t)
	transport := central.transport(t, "wrong")
	status, _ := do(t, transport, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, []string{"GET admin:wrong"}, central.seen())
}

func TestRefusedSessionsAreNotUsed(t *testing.T) {
	central := newCentral(t)
	central.refuse = true
	transport := central.transport(t, "pw")
	now := time.Now()
	transport.session = session.New(session.Credentials{Username: "admin", Password: "pw"}, func() time.Time { return now })
	for range 4 {
		status, _ := do(t, transport, http.MethodGet, "/api/nutanix/v3/vms/1", "")
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Equal(t, []string{"GET admin:pw", "session s1", "GET admin:pw", "GET admin:pw", "GET admin:pw"}, central.seen())
}

func TestRateLimit(t *testing.T) {
	central := newCentral(t)
	upstream := central.transport(t, "pw").upstream
	limited, err := New(upstream, Options{QPS: 20, Burst: 1})
	require.NoError(t, err)
	t.Cleanup(limited.CloseIdleConnections)
	begin := time.Now()
	for range 5 {
		do(t, limited, http.MethodGet, "/", "")
	}
	assert.GreaterOrEqual(t, time.Since(begin), 190*time.Millisecond)
}

func TestRequestsWithoutRateLimit(t *testing.T) {
	central := newCentral(t)
	limited, err := New(central.transport(t, "pw").upstream, Options{QPS: 0.001, Burst: 1})
	require.NoError(t, err)
	t.Cleanup(limited.CloseIdleConnections)
	_, err = get(t.Context(), limited)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = get(ctx, limited)
	require.ErrorContains(t, err, "rate limit")
	_, err = get(WithoutRateLimit(ctx), limited)
	require.NoError(t, err)
}

// TestEveryCallEnds proves that a call ends if Prism Central sends nothing, only headers, or only a part of the body.
func TestEveryCallEnds(t *testing.T) {
	for name, sent := range map[string]string{"nothing": "", "headers": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"a part": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			t.Run(name+" to "+method, func(t *testing.T) {
				server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					connection, buffered, err := http.NewResponseController(w).Hijack()
					if assert.NoError(t, err) {
						_, _ = buffered.WriteString(sent)
						_ = buffered.Flush()
						_, _ = io.Copy(io.Discard, connection)
						_ = connection.Close()
					}
				}))
				t.Cleanup(server.Close)
				transport, err := New(Upstream{Address: server.Listener.Addr().String(), Insecure: true, Username: "u", Password: "p"},
					Options{CallTimeout: 500 * time.Millisecond})
				require.NoError(t, err)
				req, err := http.NewRequestWithContext(t.Context(), method, "https://elsewhere.invalid/", strings.NewReader("{}"))
				require.NoError(t, err)
				resp, err := transport.RoundTrip(req)
				if err == nil { // on a busy machine, the time may have passed before the headers arrived
					_, err = io.ReadAll(resp.Body)
					assert.NoError(t, resp.Body.Close())
				}
				require.Error(t, err)
				assert.True(t, IsTimeout(err), "%v", err)
			})
		}
	}
}

func TestIsRetryable(t *testing.T) {
	for line, want := range map[string]bool{
		"GET /api/nutanix/v3/vms":                true,
		"OPTIONS /x":                             true,
		"HEAD /x":                                true,
		"POST /api/nutanix/v3/vms/list":          true,
		"POST /api/nutanix/v3/categories/k/list": true,
		"POST /api/nutanix/v3/groups":            true,
		"POST /api/nutanix/v3/vms":               false,
		"POST /api/nutanix/v3/list%2flist":       false,
		"POST /api/nutanix/v3/vms/../vms/list":   false,
		"POST /api/nutanix/v2.0/vms/list":        false,
		"PUT /api/nutanix/v3/vms/list":           false,
		"DELETE /api/nutanix/v3/vms/list":        false,
		"TRACE /x":                               false,
	} {
		method, path, _ := strings.Cut(line, " ")
		assert.Equal(t, want, IsRetryable(httptest.NewRequest(method, path, nil)), line)
	}
}

func TestUpstreamHidesSecrets(t *testing.T) {
	upstream := Upstream{Address: "pc:9440", Username: "user-x", Password: "password-x", APIKey: "key-x"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, upstream)
		assert.Contains(t, text, "pc:9440")
		assert.NotContains(t, text, "-x")
	}
	assert.Equal(t, "pc:9440", upstream.MarshalLog())
}

func TestDigestCoversEveryField(t *testing.T) {
	base := Upstream{Address: "a", Username: "u", Password: "p", CABundle: []byte("c")}
	same := base
	assert.Equal(t, base.Digest(), same.Digest())
	seen := map[string]bool{base.Digest(): true}
	for _, change := range []func(*Upstream){
		func(u *Upstream) { u.Address = "b" },
		func(u *Upstream) { u.Insecure = true },
		func(u *Upstream) { u.CABundle = nil },
		func(u *Upstream) { u.Password = "q" },
		func(u *Upstream) { u.Username, u.Password = "up", "" },
		func(u *Upstream) { u.APIKey = "k" },
	} {
		other := base
		change(&other)
		assert.False(t, seen[other.Digest()])
		seen[other.Digest()] = true
	}
}

func TestCheckBundle(t *testing.T) {
	central := newCentral(t)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: central.Certificate().Raw})
	assert.NoError(t, CheckBundle(append(certificate, certificate...)))
	for message, bundle := range map[string]string{
		"contains no PEM certificate": "text",
		`its type is "PRIVATE KEY"`:   "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"parsing certificate 1":       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		assert.ErrorContains(t, CheckBundle([]byte(bundle)), message)
	}
}
