package nutanix_test

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

	"github.com/capnt/capnt/ccm/nutanix"
)

const (
	testUser     = "someone"
	testPassword = "Pass/Word-not-to-be-seen"
	testKey      = "Key-not-to-be-seen"

	vmUUID      = "11111111-1111-4111-8111-111111111111"
	sessionUUID = "22222222-2222-4222-8222-222222222222"
	floatUUID   = "33333333-3333-4333-8333-333333333333"
	routeUUID   = "44444444-4444-4444-8444-444444444444"
	tableUUID   = "55555555-5555-4555-8555-555555555555"
	subnetUUID  = "66666666-6666-4666-8666-666666666666"
	vpcUUID     = "77777777-7777-4777-8777-777777777777"
	nicUUID     = "88888888-8888-4888-8888-888888888888"
	taskUUID    = "ZXJnb24=:99999999-9999-4999-8999-999999999999"
)

// seen is a request as it arrived.
type seen struct {
	Method, Path string
	Query        url.Values
	Body         any
	IfMatch      string
	RequestID    string
	ContentType  string
	Header       http.Header
}

// central answers as a test says and remembers what it was asked. Questions for versions are answered by themselves.
type central struct {
	*httptest.Server
	mu       sync.Mutex
	requests []seen
	versions int // how often a version was asked for
	version  string
	answers  map[string][]http.HandlerFunc
}

func newCentral(t *testing.T) *central {
	t.Helper()
	c := &central{version: "v4.2", answers: map[string][]http.HandlerFunc{}}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that clients break off on purpose
	c.StartTLS()
	t.Cleanup(c.Close)
	return c
}

var versionedPath = regexp.MustCompile(`^/api/([a-z]+)/v4\.[0-9a-z.]+/(.*)$`)

func (c *central) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	one := seen{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), IfMatch: r.Header.Get("If-Match"),
		RequestID: r.Header.Get("NTNX-Request-Id"), ContentType: r.Header.Get("Content-Type"), Header: r.Header.Clone(),
	}
	if len(body) > 0 && json.Unmarshal(body, &one.Body) != nil {
		one.Body = string(body)
	}
	c.mu.Lock()
	if r.Method == http.MethodOptions {
		c.versions++
		handler := c.next("OPTIONS")
		version := c.version
		c.mu.Unlock()
		if handler == nil {
			handler = answer(http.StatusOK, `{"data":`+strconv.Quote(version)+`}`)
		}
		handler(w, r)
		return
	}
	c.requests = append(c.requests, one)
	handler := c.next(r.Method + " " + versionedPath.ReplaceAllString(r.URL.Path, "$1/$2"))
	c.mu.Unlock()
	if handler == nil {
		http.Error(w, "nobody answers "+r.Method+" "+r.URL.Path, http.StatusTeapot)
		return
	}
	handler(w, r)
}

// next takes the next answer for a request; the last one stays.
func (c *central) next(key string) http.HandlerFunc {
	handlers := c.answers[key]
	if len(handlers) == 0 {
		return nil
	}
	if len(handlers) > 1 {
		c.answers[key] = handlers[1:]
	}
	return handlers[0]
}

// on sets the answers for "GET vmm/ahv/config/vms", one after another.
func (c *central) on(request string, handlers ...http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[request] = handlers
}

// task sets the states that the task of a change goes through.
func (c *central) task(states ...string) {
	handlers := make([]http.HandlerFunc, 0, len(states))
	for _, state := range states {
		handlers = append(handlers, answer(http.StatusOK, `{"data":`+state+`}`))
	}
	c.on("GET prism/config/tasks/"+taskUUID, handlers...)
}

// list gives all requests but those for tasks.
func (c *central) list() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []seen
	for _, one := range c.requests {
		if !strings.Contains(one.Path, "/config/tasks/") {
			out = append(out, one)
		}
	}
	return out
}

func (c *central) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = nil
}

func (c *central) endpoint(t *testing.T) nutanix.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(c.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	return nutanix.Endpoint{Address: host, Port: number, TrustBundle: bundle, Username: testUser, Password: testPassword}
}

// client gives a client of the server; change may be nil.
func (c *central) client(t *testing.T, change func(*nutanix.Endpoint, *nutanix.Limits)) *nutanix.Client {
	t.Helper()
	endpoint := c.endpoint(t)
	limits := nutanix.Limits{Timeout: 30 * time.Second, TaskTimeout: time.Minute, RequestsPerSecond: 1000, Burst: 1000}
	if change != nil {
		change(&endpoint, &limits)
	}
	return nutanix.New(nutanix.Options{
		Endpoint: func(context.Context) (nutanix.Endpoint, error) { return endpoint, nil },
		Limits:   func() nutanix.Limits { return limits },
	})
}

// answer gives a status, a body in JSON and pairs of headers.
func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// page is what a proxy answers.
func page(status int) http.HandlerFunc {
	return answer(status, "<html><body>nothing here</body></html>", "Content-Type", "text/html; charset=utf-8")
}

// lost closes the connection without an answer.
func lost(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// accepted is the answer to a change: its task.
func accepted() http.HandlerFunc {
	return answer(http.StatusAccepted, `{"data":{"$objectType":"prism.v4.config.TaskReference","extId":"`+taskUUID+`"}}`)
}

// items is the body of a list of which there are total.
func items(total int, all ...string) string {
	data := ""
	if len(all) > 0 {
		data = `"data":[` + strings.Join(all, ",") + `],`
	}
	return fmt.Sprintf(`{%s"metadata":{"flags":[{"name":"hasError","value":false},{"name":"isPaginated","value":true}],"totalAvailableResults":%d}}`, data, total)
}

// refusal is an error in the form of a namespace.
func refusal(namespace, code, group, message string) string {
	return fmt.Sprintf(`{"data":{"$objectType":"%[1]s.v4.error.ErrorResponse","error":[{"$objectType":"%[1]s.v4.error.AppMessage",`+
		`"code":%[2]q,"errorGroup":%[3]q,"message":%[4]q,"severity":"ERROR"}]}}`, namespace, code, group, message)
}

func taskState(status, more string) string {
	return fmt.Sprintf(`{"extId":%q,"status":%q%s}`, taskUUID, status, more)
}

func affected(rel, uuid string) string {
	return fmt.Sprintf(`,"entitiesAffected":[{"rel":%q,"extId":%q}]`, rel, uuid)
}

func failing(code, message string) string {
	return fmt.Sprintf(`,"errorMessages":[{"code":%q,"errorGroup":"BACKEND_SERVICE_ERROR","message":%q,"severity":"ERROR"}]`, code, message)
}
