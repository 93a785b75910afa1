// Package prismv4test is a server that responds to requests of the v4 API as a test specifies.
package prismv4test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4"
)

// Credentials that the endpoint contains, and UUIDs of objects.
const (
	User     = "someone"
	Password = "Pass/Word-not-to-be-seen"
	Key      = "Key-not-to-be-seen"

	VM   = "11111111-1111-4111-8111-111111111111"
	Task = "ZXJnb24=:99999999-9999-4999-8999-999999999999"
)

// Request is a request that the server has received.
type Request struct {
	Method, Path string
	Query        url.Values
	Body         any
	IfMatch      string
	RequestID    string
	ContentType  string
	Header       http.Header
}

// Server is a fake Prism Central. It responds to requests for versions with Version.
type Server struct {
	*httptest.Server
	Version string

	mu         sync.Mutex
	requests   []Request
	negotiated int
	handlers   map[string][]http.HandlerFunc
}

// New starts a server that runs until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	c := &Server{Version: "v4.2", handlers: map[string][]http.HandlerFunc{}}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // some tests abort the handshake
	c.StartTLS()
	t.Cleanup(c.Close)
	return c
}

var versionedPath = regexp.MustCompile(`^/api/([a-z]+)/v4\.[0-9a-z.]+/(.*)$`)

func (c *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	one := Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), IfMatch: r.Header.Get("If-Match"),
		RequestID: r.Header.Get("NTNX-Request-Id"), ContentType: r.Header.Get("Content-Type"), Header: r.Header.Clone(),
	}
	if len(body) > 0 && json.Unmarshal(body, &one.Body) != nil {
		one.Body = string(body)
	}
	c.mu.Lock()
	if r.Method == http.MethodOptions {
		c.negotiated++
		handler := c.next("OPTIONS")
		version := c.Version
		c.mu.Unlock()
		if handler == nil {
			handler = Answer(http.StatusOK, `{"data":`+strconv.Quote(version)+`}`)
		}
		handler(w, r)
		return
	}
	c.requests = append(c.requests, one)
	handler := c.next(r.Method + " " + versionedPath.ReplaceAllString(r.URL.Path, "$1/$2"))
	c.mu.Unlock()
	if handler == nil {
		http.Error(w, "no handler for "+r.Method+" "+r.URL.Path, http.StatusTeapot)
		return
	}
	handler(w, r)
}

// next returns the next handler for a request. The last handler is used for all further requests.
func (c *Server) next(key string) http.HandlerFunc {
	handlers := c.handlers[key]
	if len(handlers) == 0 {
		return nil
	}
	if len(handlers) > 1 {
		c.handlers[key] = handlers[1:]
	}
	return handlers[0]
}

// On sets the handlers for the next requests, for example for "GET vmm/ahv/config/vms". The last one handles all further requests.
func (c *Server) On(request string, handlers ...http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[request] = handlers
}

// Task sets the responses to the requests for the task Task.
func (c *Server) Task(states ...string) {
	handlers := make([]http.HandlerFunc, 0, len(states))
	for _, state := range states {
		handlers = append(handlers, Answer(http.StatusOK, `{"data":`+state+`}`))
	}
	c.On("GET prism/config/tasks/"+Task, handlers...)
}

// Negotiated returns the number of requests for versions.
func (c *Server) Negotiated() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.negotiated
}

// Requests returns all requests except those for versions and tasks.
func (c *Server) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Request
	for _, one := range c.requests {
		if !strings.Contains(one.Path, "/config/tasks/") {
			out = append(out, one)
		}
	}
	return out
}

// Forget removes all requests from the result of Requests.
func (c *Server) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = nil
}

// Endpoint returns the endpoint of the server.
func (c *Server) Endpoint(t testing.TB) prismv4.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(c.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	return prismv4.Endpoint{Address: host, Port: number, TrustBundle: bundle, Username: User, Password: Password}
}

// Options returns options for a client of the server. change may be nil.
func (c *Server) Options(t testing.TB, change func(*prismv4.Endpoint, *prismv4.Limits)) prismv4.Options {
	t.Helper()
	endpoint := c.Endpoint(t)
	limits := prismv4.Limits{Timeout: 30 * time.Second, TaskTimeout: time.Minute, RequestsPerSecond: 1000, Burst: 1000}
	if change != nil {
		change(&endpoint, &limits)
	}
	return prismv4.Options{
		Endpoint: func(context.Context) (prismv4.Endpoint, error) { return endpoint, nil },
		Limits:   func() prismv4.Limits { return limits },
	}
}

// Answer responds with a status, a body and pairs of headers. The default media type is JSON.
func Answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Page responds with the error page of a proxy.
func Page(status int) http.HandlerFunc {
	return Answer(status, "<html><body>nothing here</body></html>", "Content-Type", "text/html; charset=utf-8")
}

// Lost closes the connection without a response.
func Lost(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Cut closes the connection after a part of the response.
func Cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "4000")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(`{"data":[`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Accepted responds to a change with the task Task.
func Accepted() http.HandlerFunc {
	return Answer(http.StatusAccepted, `{"data":{"$objectType":"prism.v4.config.TaskReference","extId":"`+Task+`"}}`)
}

// Items returns the body of a list. total is the number of items according to the list.
func Items(total int, all ...string) string {
	data := ""
	if len(all) > 0 {
		data = `"data":[` + strings.Join(all, ",") + `],`
	}
	return fmt.Sprintf(`{%s"metadata":{"flags":[{"name":"hasError","value":false},{"name":"isPaginated","value":true}],"totalAvailableResults":%d}}`, data, total)
}

// Refusal returns the body of an error of a namespace.
func Refusal(namespace, code, group, message string) string {
	return fmt.Sprintf(`{"data":{"$objectType":"%[1]s.v4.error.ErrorResponse","error":[{"$objectType":"%[1]s.v4.error.AppMessage",`+
		`"code":%[2]q,"errorGroup":%[3]q,"message":%[4]q,"severity":"ERROR"}]}}`, namespace, code, group, message)
}

// TaskState returns a task with the status and further fields.
func TaskState(status, more string) string {
	return fmt.Sprintf(`{"extId":%q,"status":%q%s}`, Task, status, more)
}

// Affected returns the field of a task that contains the affected entity.
func Affected(rel, uuid string) string {
	return fmt.Sprintf(`,"entitiesAffected":[{"rel":%q,"extId":%q}]`, rel, uuid)
}

// Failing returns the field of a task that contains an error message.
func Failing(code, message string) string {
	return fmt.Sprintf(`,"errorMessages":[{"code":%q,"errorGroup":"BACKEND_SERVICE_ERROR","message":%q,"severity":"ERROR"}]`, code, message)
}
