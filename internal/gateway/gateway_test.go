package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request is a request that central has received.
type request struct {
	method, path, body string
	header             http.Header
}

// central is a fake Prism Central. It responds with a handler and stores the requests.
type central struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func newCentral(t *testing.T, handler http.HandlerFunc) *central {
	t.Helper()
	c := &central{}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.requests = append(c.requests, request{req.Method, req.URL.Path, string(body), req.Header.Clone()})
		c.mu.Unlock()
		req.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, req)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *central) seen() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]request(nil), c.requests...)
}

// upstream returns an Upstream with the address of c and the given credentials.
func (c *central) upstream(username, password string) Upstream {
	return Upstream{
		Address:  c.Listener.Addr().String(),
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}),
		Username: username,
		Password: password,
	}
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":{"state":"COMPLETE"}}`)
}

// quick allows all attempts within a short time, even on a busy machine.
var quick = Retry{Attempts: 4, Total: 5 * time.Minute, Base: time.Millisecond, Max: 2 * time.Millisecond}

// testOptions returns options with a free port. During shutdown, a gateway with these options waits until all sessions are closed.
func testOptions(t *testing.T) Options {
	t.Helper()
	return Options{Address: "127.0.0.1:0", Log: testr.New(t), Registerer: prometheus.NewRegistry(), Retry: quick, RecordRetry: quick, ShutdownTimeout: waitFor}
}

// start creates a gateway and runs it until the test ends.
func start(t *testing.T, change ...func(*Options)) *Gateway {
	t.Helper()
	options := testOptions(t)
	for _, f := range change {
		f(&options)
	}
	gateway, err := New(options)
	require.NoError(t, err)
	serve(t, gateway)
	return gateway
}

// serve runs gateway until the test ends.
func serve(t *testing.T, gateway *Gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- gateway.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-stopped)
	})
}

func open(t *testing.T, gateway *Gateway, options RunOptions) *Session {
	t.Helper()
	session, err := gateway.Open(options)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	return session
}

// child sends requests as a Terraform run does, with the environment and the CA of a session.
type child struct {
	url, username, password string
	// ifMatch is the header If-Match of requests, or empty.
	ifMatch string
	http    *http.Client
}

func childOf(t *testing.T, session *Session) *child {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(session.CABundle()))
	env := session.Env()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &child{
		url:      "https://" + env["NUTANIX_ENDPOINT"] + ":" + env["NUTANIX_PORT"],
		username: env["NUTANIX_USERNAME"],
		password: env["NUTANIX_PASSWORD"],
		http:     &http.Client{Transport: transport},
	}
}

func (c *child) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.SetBasicAuth(c.username, c.password)
	if c.ifMatch != "" {
		req.Header.Set("If-Match", c.ifMatch)
	}
	return req
}

// do sends a request. It returns the status and the body of the response.
func (c *child) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	resp, err := c.http.Do(c.request(t, method, path, body))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(reply)
}

// v4ErrorOf returns the only error in an error response of the v4 API, or nil.
func v4ErrorOf(t *testing.T, body string) *v4Message {
	t.Helper()
	var response struct {
		Data struct {
			ObjectType string `json:"$objectType"`
			Error      []v4Message
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &response), body)
	if response.Data.ObjectType == "" {
		return nil
	}
	assert.Regexp(t, `^[a-z]+\.v4\.error\.ErrorResponse$`, response.Data.ObjectType)
	require.Len(t, response.Data.Error, 1)
	return &response.Data.Error[0]
}

type v4Message struct{ Message, Code, ErrorGroup string }

// reasonOf returns the reason in an error response of the gateway. It asserts that provider 1.9.5 treats a response of the v3 API as an error.
func reasonOf(t *testing.T, body string) string {
	t.Helper()
	if found := v4ErrorOf(t, body); found != nil {
		assert.NotEmpty(t, found.Message)
		return found.ErrorGroup
	}
	var own struct {
		APIVersion  string `json:"api_version"`
		Code        int
		Kind, State string
		MessageList []struct{ Message, Reason string } `json:"message_list"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &own), body)
	assert.Equal(t, "3.1", own.APIVersion)
	assert.Equal(t, "error", own.Kind)
	assert.Equal(t, "ERROR", own.State)
	require.Len(t, own.MessageList, 1)
	assert.NotEmpty(t, own.MessageList[0].Message)
	return own.MessageList[0].Reason
}

func TestTokenIsReplacedByTheRealCredentials(t *testing.T) {
	central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "NTNX_IGW_SESSION=secret-session; Path=/; Secure; HttpOnly")
		w.Header().Set("Etag", "42")
		_, _ = io.WriteString(w, "{}")
	})
	gateway := start(t)
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "real-password"), Mode: ReadWrite})
	for name, value := range session.Env() {
		assert.NotContains(t, value, "real-password", name)
		assert.NotContains(t, value, "admin", name)
	}
	child := childOf(t, session)
	req := child.request(t, http.MethodPut, "/api/nutanix/v3/vms/1", `{"a":1}`)
	req.Header.Set("Cookie", "NTNX_IGW_SESSION=childs-own")
	req.Header.Set("If-Match", "41")
	req.Header.Set("X-HTTP-Method-Override", "DELETE")
	req.Header.Set("Connection", "X-Hop")
	req.Header.Set("X-Hop", "1")
	resp, err := child.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "42", resp.Header.Get("Etag"))
	assert.Empty(t, resp.Header.Get("Set-Cookie"), "the session of Prism Central does not reach the child")

	seen := central.seen()
	require.Len(t, seen, 1)
	username, password, _ := (&http.Request{Header: seen[0].header}).BasicAuth()
	assert.Equal(t, "admin:real-password", username+":"+password)
	assert.Equal(t, `{"a":1}`, seen[0].body)
	assert.Equal(t, "41", seen[0].header.Get("If-Match"))
	assert.NotContains(t, fmt.Sprint(seen[0].header), session.Env()["NUTANIX_PASSWORD"])
	for _, header := range []string{"Cookie", "X-Http-Method-Override", "X-Hop", "X-Forwarded-For"} {
		assert.Empty(t, seen[0].header.Get(header), header)
	}
	assert.Equal(t, 1, session.Calls())
}

func TestAPIKeyIsSentInItsHeader(t *testing.T) {
	central := newCentral(t, ok)
	upstream := central.upstream("", "")
	upstream.APIKey = "real-key"
	session := open(t, start(t), RunOptions{Upstream: upstream})
	status, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, "real-key", central.seen()[0].header.Get("X-Ntnx-Api-Key"))
	assert.Empty(t, central.seen()[0].header.Get("Authorization"))
}

func TestAllRunsUseOneSessionOfPrismCentral(t *testing.T) {
	central := newCentral(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "NTNX_IGW_SESSION", Value: "s1", Path: "/"})
		_, _ = io.WriteString(w, "{}")
	})
	gateway := start(t)
	for range 3 {
		child := childOf(t, open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite}))
		child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
		child.do(t, http.MethodPut, "/api/nutanix/v3/vms/1", "{}")
	}
	var authenticated []string
	for _, request := range central.seen() {
		if request.header.Get("Authorization") != "" {
			authenticated = append(authenticated, request.method)
		}
	}
	assert.Equal(t, []string{"GET", "PUT", "PUT", "PUT"}, authenticated, "reads use the session, writes always carry the credentials")
}

func TestUnknownTokensAreRefused(t *testing.T) {
	central := newCentral(t, ok)
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
	child := childOf(t, session)
	for name, change := range map[string]func(*http.Request){
		"none":           func(req *http.Request) { req.Header.Del("Authorization") },
		"wrong token":    func(req *http.Request) { req.SetBasicAuth(child.username, child.password+"x") },
		"wrong name":     func(req *http.Request) { req.SetBasicAuth("admin", child.password) },
		"real password":  func(req *http.Request) { req.SetBasicAuth("admin", "pw") },
		"another scheme": func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+child.password) },
	} {
		t.Run(name, func(t *testing.T) {
			req := child.request(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
			change(req)
			resp, err := child.http.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			assert.Equal(t, ReasonUnauthorized, reasonOf(t, string(body)))
		})
	}
	assert.Empty(t, central.seen())
}

func TestTokenEndsWithItsSession(t *testing.T) {
	central := newCentral(t, ok)
	gateway := start(t)
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")})
	other := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")})
	child := childOf(t, session)
	status, _ := child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	require.Equal(t, http.StatusOK, status)
	session.Close()
	session.Close()
	status, body := child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, ReasonUnauthorized, reasonOf(t, body))
	status, _ = childOf(t, other).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusOK, status, "other sessions stay open")
}

func TestConcurrentSessionsDoNotMix(t *testing.T) {
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		username, _, _ := req.BasicAuth()
		if cookie, err := req.Cookie("NTNX_IGW_SESSION"); err == nil {
			username = cookie.Value
		}
		http.SetCookie(w, &http.Cookie{Name: "NTNX_IGW_SESSION", Value: username, Path: "/"})
		_, _ = io.WriteString(w, username)
	})
	gateway := start(t)
	var wait sync.WaitGroup
	for i := range 8 {
		user := fmt.Sprintf("user-%d", i)
		child := childOf(t, open(t, gateway, RunOptions{Upstream: central.upstream(user, "pw")}))
		wait.Go(func() {
			for range 20 {
				status, body := child.do(t, http.MethodGet, "/api/nutanix/v3/users/me", "")
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, user, body)
			}
		})
	}
	wait.Wait()
}

func TestAddressMustBeLoopback(t *testing.T) {
	for address, message := range map[string]string{
		"0.0.0.0:0":   "is not a loopback IP address",
		"10.0.0.1:0":  "is not a loopback IP address",
		"localhost:0": "is not a loopback IP address",
		"127.0.0.1":   "host:port is needed",
	} {
		_, err := New(Options{Address: address, Log: testr.New(t)})
		assert.ErrorContains(t, err, message, address)
	}
	taken := start(t)
	_, err := New(Options{Address: taken.Addr(), Log: testr.New(t)})
	assert.ErrorContains(t, err, "needs another loopback address")
	assert.False(t, taken.NeedLeaderElection())
}

func TestOpenRejectsIncompleteUpstream(t *testing.T) {
	gateway := start(t)
	for name, upstream := range map[string]Upstream{
		"the trust bundle contains no PEM certificate":     {Address: "a:1", Username: "u", Password: "p", CABundle: []byte("nothing")},
		"credentials for Prism Central a:1 are incomplete": {Address: "a:1", Username: "u"},
		"address of Prism Central is empty":                {Username: "u", Password: "p"},
	} {
		_, err := gateway.Open(RunOptions{Upstream: upstream, Object: "NutanixMachine default/m"})
		assert.ErrorContains(t, err, name)
		assert.ErrorContains(t, err, "NutanixMachine default/m")
	}
}

func TestStopWaitsForOpenSessions(t *testing.T) {
	central := newCentral(t, ok)
	gateway, err := New(Options{Address: "127.0.0.1:0", Log: testr.New(t), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- gateway.Start(ctx) }()
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")})
	child := childOf(t, session)
	cancel()
	status, _ := child.do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusOK, status, "an interrupted run still reaches Prism Central")
	session.Close()
	require.NoError(t, <-stopped)
	_, err = child.http.Do(child.request(t, http.MethodGet, "/", ""))
	assert.Error(t, err)
}
