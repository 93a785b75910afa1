package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	waitFor = 2 * time.Minute
	tick    = 5 * time.Millisecond
)

// failingFirst returns a handler that calls fail for the first n requests and succeeds afterwards.
func failingFirst(n int32, fail http.HandlerFunc) http.HandlerFunc {
	var count atomic.Int32
	return func(w http.ResponseWriter, req *http.Request) {
		if count.Add(1) <= n {
			fail(w, req)
			return
		}
		ok(w, req)
	}
}

func respond(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"state":"ERROR","message_list":[{"message":"from Prism Central"}]}`)
	}
}

// closeConnection closes the connection without sending a response.
func closeConnection(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// cutBody sends the beginning of a response and closes the connection.
func cutBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"metadata":`)
}

func TestReadsAreRetriedAndWritesAreNot(t *testing.T) {
	faults := map[string]struct {
		handler http.HandlerFunc
		status  int // of the response to the write
	}{"connection": {closeConnection, http.StatusBadGateway}}
	for _, status := range []int{408, 429, 500, 502, 503, 504} {
		faults[strconv.Itoa(status)] = struct {
			handler http.HandlerFunc
			status  int
		}{respond(status), status}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for _, read := range []struct{ method, path, body string }{
				{http.MethodGet, "/api/nutanix/v3/vms/1", ""},
				{http.MethodPost, "/api/nutanix/v3/vms/list", `{"kind":"vm"}`},
			} {
				central := newCentral(t, failingFirst(2, fault.handler))
				session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
				status, _ := childOf(t, session).do(t, read.method, read.path, read.body)
				assert.Equal(t, http.StatusOK, status)
				seen := central.seen()
				require.Len(t, seen, 3)
				for _, request := range seen {
					assert.Equal(t, read.body, request.body)
				}
				assert.Equal(t, 1, session.Calls(), "the child sent one request")
			}
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				central := newCentral(t, failingFirst(2, fault.handler))
				session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite})
				status, _ := childOf(t, session).do(t, method, "/api/nutanix/v3/vms", `{}`)
				assert.Equal(t, fault.status, status, method)
				assert.Len(t, central.seen(), 1, method)
			}
		})
	}
}

// TestIncompleteReadsAreRetried proves that the child gets a complete response or an error, and never the beginning of a response.
func TestIncompleteReadsAreRetried(t *testing.T) {
	for _, read := range []struct{ method, path, body string }{
		{http.MethodGet, "/api/nutanix/v3/vms/1", ""},
		{http.MethodGet, "/api/vmm/v4.2/ahv/config/vms/1", ""},
		{http.MethodPost, "/api/nutanix/v3/vms/list", `{"kind":"vm"}`},
	} {
		central := newCentral(t, failingFirst(2, cutBody))
		gateway := start(t)
		session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")})
		status, _ := childOf(t, session).do(t, read.method, read.path, read.body)
		assert.Equal(t, http.StatusOK, status, read.path)
		assert.Len(t, central.seen(), 3, read.path)
		assert.InDelta(t, 2, testutil.ToFloat64(gateway.metrics.retries.WithLabelValues(bodyFault)), 0)

		central = newCentral(t, cutBody)
		session = open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw")})
		status, body := childOf(t, session).do(t, read.method, read.path, read.body)
		assert.Equal(t, http.StatusBadGateway, status, read.path)
		assert.Contains(t, body, "reading the response: unexpected EOF", read.path)
		assert.Len(t, central.seen(), quick.Attempts, read.path)
	}
}

func TestOtherResponsesAreNotRetried(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 412, 422, 501} {
		central := newCentral(t, respond(status))
		session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
		got, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
		assert.Equal(t, status, got)
		assert.Len(t, central.seen(), 1)
	}
}

func TestRetriesEndAfterTheLastAttempt(t *testing.T) {
	central := newCentral(t, respond(http.StatusServiceUnavailable))
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
	status, body := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "from Prism Central", "the last response is passed on unchanged")
	assert.Len(t, central.seen(), quick.Attempts)
}

func TestRetriesEndAfterTheTotalTime(t *testing.T) {
	central := newCentral(t, respond(http.StatusServiceUnavailable))
	session := open(t, start(t, func(options *Options) {
		options.Retry = Retry{Attempts: 1000, Total: 60 * time.Millisecond, Base: 10 * time.Millisecond, Max: 10 * time.Millisecond}
	}), RunOptions{Upstream: central.upstream("admin", "pw")})
	status, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Less(t, len(central.seen()), 20)
}

func TestRetryAfterIsRespected(t *testing.T) {
	retryAfterHeader := func(value string) http.HandlerFunc {
		return failingFirst(1, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Retry-After", value)
			respond(http.StatusTooManyRequests)(w, req)
		})
	}
	t.Run("within the time", func(t *testing.T) {
		central := newCentral(t, retryAfterHeader("1"))
		session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
		begin := time.Now()
		status, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
		assert.Equal(t, http.StatusOK, status)
		assert.GreaterOrEqual(t, time.Since(begin), time.Second)
	})
	t.Run("longer than the time", func(t *testing.T) {
		central := newCentral(t, retryAfterHeader("3600"))
		session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw")})
		status, _ := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Len(t, central.seen(), 1)
	})
}

func TestRetryAfterForms(t *testing.T) {
	asked := func(value string) time.Duration {
		return retryAfter(&http.Response{Header: http.Header{"Retry-After": {value}}})
	}
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, past: 0} {
		assert.Equal(t, want, asked(value), value)
	}
	date := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	latest := time.Until(date)
	got := asked(date.Format(http.TimeFormat))
	assert.LessOrEqual(t, got, latest)
	assert.GreaterOrEqual(t, got, time.Until(date))
	assert.Zero(t, retryAfter(nil))
}

func TestErrorNamesTheUnreachablePrismCentral(t *testing.T) {
	const address = "127.0.0.1:1" // no server listens on this port
	session := open(t, start(t), RunOptions{Upstream: Upstream{Address: address, Username: "u", Password: "p"}})
	status, body := childOf(t, session).do(t, http.MethodGet, "/api/nutanix/v3/vms/1", "")
	assert.Equal(t, http.StatusBadGateway, status)
	assert.Equal(t, ReasonUnreachable, reasonOf(t, body))
	assert.Contains(t, body, address)
}

func TestMissingResponseIsATimeout(t *testing.T) {
	timeout := apiErrorOf(&net.OpError{Op: "read", Err: timeoutError{}}, "pc:9440")
	assert.Equal(t, http.StatusGatewayTimeout, timeout.status)
	assert.Equal(t, ReasonTimeout, timeout.reason)
	assert.Equal(t, ReasonUnreachable, apiErrorOf(errors.New("other"), "pc:9440").reason)
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
