package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	createRequest = `{"metadata":{"kind":"vm"},"spec":{"name":"m-1","resources":{}}}`
	createReply   = `{"api_version":"3.1","metadata":{"kind":"vm","uuid":"11111111-2222-3333-4444-555555555555","spec_version":0},` +
		`"spec":{},"status":{"state":"PENDING","execution_context":{"task_uuid":"99999999-2222-3333-4444-555555555555"}}}`
	v4CreateURL     = "/api/vmm/v4.2/ahv/config/vms"
	v4CreateRequest = `{"name":"m-1","$objectType":"vmm.v4.ahv.config.Vm"}`
	v4TaskID        = "ZXJnb24=:99999999-2222-3333-4444-555555555555"
	v4CreateReply   = `{"data":{"$objectType":"prism.v4.config.TaskReference","extId":"ZXJnb24=:99999999-2222-3333-4444-555555555555"}}`
)

var createdVM = Created{UUID: "11111111-2222-3333-4444-555555555555", Name: "m-1", TaskUUID: "99999999-2222-3333-4444-555555555555"}

func accept(w http.ResponseWriter, req *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	if strings.HasPrefix(req.URL.Path, "/api/vmm/") {
		_, _ = io.WriteString(w, v4CreateReply)
		return
	}
	_, _ = io.WriteString(w, createReply)
}

// recorder is a CreateRecorder that stores the arguments of its methods. Its function fields determine the results.
type recorder struct {
	sending  func(context.Context) error
	accepted func(context.Context) error
	refused  func(context.Context) error
	// requestID is the result of Sending.
	requestID string

	mu    sync.Mutex
	calls []string
}

func (r *recorder) call(ctx context.Context, name string, value any, result func(context.Context) error) error {
	r.mu.Lock()
	r.calls = append(r.calls, fmt.Sprint(name, " ", value))
	r.mu.Unlock()
	if result == nil {
		return ctx.Err()
	}
	return result(ctx)
}

func (r *recorder) Sending(ctx context.Context, create Create) (string, error) {
	return r.requestID, r.call(ctx, "Sending", create, r.sending)
}

func (r *recorder) Accepted(ctx context.Context, created Created) error {
	return r.call(ctx, "Accepted", created, r.accepted)
}

func (r *recorder) Refused(ctx context.Context, create Create) error {
	return r.call(ctx, "Refused", create, r.refused)
}

func (r *recorder) recorded() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.calls...)
}

func failTimes(n int) func(context.Context) error {
	return func(context.Context) error {
		if n--; n >= 0 {
			return errors.New("conflict")
		}
		return nil
	}
}

var (
	sendingVM  = fmt.Sprint("Sending ", Create{Name: "m-1"})
	acceptedVM = fmt.Sprint("Accepted ", createdVM)
	refusedVM  = fmt.Sprint("Refused ", Create{Name: "m-1"})

	v4SendingVM  = fmt.Sprint("Sending ", Create{Name: "m-1", V4: true})
	v4AcceptedVM = fmt.Sprint("Accepted ", Created{Name: "m-1", TaskUUID: v4TaskID})
	v4RefusedVM  = fmt.Sprint("Refused ", Create{Name: "m-1", V4: true})
)

func TestCreateIsRecordedBeforeRequestAndResponse(t *testing.T) {
	central := newCentral(t, accept)
	steps, proceed := make(chan string), make(chan struct{})
	step := func(name string) func(context.Context) error {
		return func(context.Context) error {
			steps <- name
			<-proceed
			return nil
		}
	}
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
		Creates: &recorder{sending: step("sending"), accepted: step("accepted")}})
	child := childOf(t, session)
	req := child.request(t, http.MethodPost, v3CreatePath, createRequest)
	req.Header.Set("Accept-Encoding", "gzip")
	replied := make(chan string, 1)
	go func() {
		resp, err := child.http.Do(req)
		if !assert.NoError(t, err) {
			return
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		assert.NoError(t, err)
		assert.Equal(t, http.StatusAccepted, resp.StatusCode)
		replied <- string(body)
	}()
	assert.Equal(t, "sending", <-steps)
	assert.Empty(t, central.seen(), "the create was sent before Sending returned")
	proceed <- struct{}{}
	assert.Equal(t, "accepted", <-steps)
	select {
	case <-replied:
		t.Fatal("the response was passed on before Accepted returned")
	default:
	}
	proceed <- struct{}{}
	assert.Equal(t, createReply, <-replied)
	assert.Equal(t, createRequest, central.seen()[0].body)
	assert.Empty(t, central.seen()[0].header.Get("Accept-Encoding"), "the response has to be readable")
}

func TestOnlyCertainCreateOutcomeIsRecorded(t *testing.T) {
	breakOff := func(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, createReply[:20])
	}
	for _, test := range []struct {
		name, method, path string
		handler            http.HandlerFunc
		want               []string
	}{
		{"accepted", http.MethodPost, v3CreatePath, accept, []string{sendingVM, acceptedVM}},
		{"refused", http.MethodPost, v3CreatePath, respond(http.StatusUnprocessableEntity), []string{sendingVM, refusedVM}},
		{"unauthorized", http.MethodPost, v3CreatePath, respond(http.StatusUnauthorized), []string{sendingVM, refusedVM}},
		{"too many requests", http.MethodPost, v3CreatePath, respond(http.StatusTooManyRequests), []string{sendingVM, refusedVM}},
		{"request timeout", http.MethodPost, v3CreatePath, respond(http.StatusRequestTimeout), []string{sendingVM}},
		{"redirected", http.MethodPost, v3CreatePath, respond(http.StatusFound), []string{sendingVM}},
		{"internal error", http.MethodPost, v3CreatePath, respond(http.StatusInternalServerError), []string{sendingVM}},
		{"unavailable", http.MethodPost, v3CreatePath, respond(http.StatusServiceUnavailable), []string{sendingVM}},
		{"broken connection", http.MethodPost, v3CreatePath, breakOff, []string{sendingVM}},
		{"broken response", http.MethodPost, v3CreatePath, cut, []string{sendingVM}},
		{"list", http.MethodPost, v3CreatePath + "/list", accept, nil},
		{"update", http.MethodPut, v3CreatePath + "/1", accept, nil},
		{"another kind", http.MethodPost, "/api/nutanix/v3/images", accept, nil},
		{"v4", http.MethodPost, v4CreateURL, accept,
			[]string{v4SendingVM, v4AcceptedVM}},
		{"v4 preview", http.MethodPost, "/api/vmm/v4.0.b1/ahv/config/vms", respond(http.StatusBadRequest), []string{v4SendingVM, v4RefusedVM}},
		{"v4 disk", http.MethodPost, v4CreateURL + "/1/disks", accept, nil},
		{"v4 list", http.MethodGet, v4CreateURL, accept, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			central := newCentral(t, test.handler)
			creates := &recorder{}
			session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
			body := createRequest
			if strings.HasPrefix(test.path, "/api/vmm/") {
				body = v4CreateRequest
			}
			child := childOf(t, session)
			child.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := child.http.Do(child.request(t, test.method, test.path, body))
			require.NoError(t, err)
			_ = resp.Body.Close()
			session.Close()
			assert.Equal(t, test.want, creates.recorded())
		})
	}
}

func TestUnconnectedCreateIsRefused(t *testing.T) {
	closed := newCentral(t, accept)
	unreachable := closed.upstream("admin", "pw")
	closed.Close()
	central := newCentral(t, accept)
	untrusted := central.upstream("admin", "pw")
	untrusted.CABundle = nil
	for name, test := range map[string]struct {
		upstream Upstream
		reason   string
	}{"unreachable": {unreachable, ReasonUnreachable}, "untrusted": {untrusted, ReasonCertificate}} {
		t.Run(name, func(t *testing.T) {
			creates := &recorder{}
			session := open(t, start(t), RunOptions{Upstream: test.upstream, Mode: ReadWrite, Creates: creates})
			status, body := childOf(t, session).do(t, http.MethodPost, v3CreatePath, createRequest)
			assert.Equal(t, http.StatusBadGateway, status)
			assert.Equal(t, test.reason, reasonOf(t, body))
			assert.Equal(t, []string{sendingVM, refusedVM}, creates.recorded())
			assert.Empty(t, central.seen())
		})
	}
}

func TestCreateIsNotSentUnlessItIsRecorded(t *testing.T) {
	central := newCentral(t, accept)
	gateway := start(t)
	creates := &recorder{sending: failTimes(1000)}
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	status, body := childOf(t, session).do(t, http.MethodPost, v3CreatePath, createRequest)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, ReasonNotRecorded, reasonOf(t, body))
	assert.Contains(t, body, "conflict")
	assert.Empty(t, central.seen())
	assert.Len(t, creates.recorded(), quick.Attempts)
	assert.NotContains(t, creates.recorded(), refusedVM, "the record of another create may be why Sending failed")
	assert.InDelta(t, 1, testutil.ToFloat64(gateway.metrics.recordFailures.WithLabelValues("Sending")), 0)
}

func TestFailedRecordingIsRetriedAndCounted(t *testing.T) {
	for name, test := range map[string]struct {
		creates *recorder
		handler http.HandlerFunc
		status  int
		calls   int
		counted float64
		call    string
	}{
		"Sending succeeds after retries":  {&recorder{sending: failTimes(2)}, accept, http.StatusAccepted, 4, 0, "Sending"},
		"Accepted succeeds after retries": {&recorder{accepted: failTimes(2)}, accept, http.StatusAccepted, 4, 0, "Accepted"},
		"Accepted fails":                  {&recorder{accepted: failTimes(1000)}, accept, http.StatusAccepted, 1 + quick.Attempts, 1, "Accepted"},
		"Refused succeeds after retries":  {&recorder{refused: failTimes(2)}, respond(http.StatusConflict), http.StatusConflict, 4, 0, "Refused"},
		"Refused fails":                   {&recorder{refused: failTimes(1000)}, respond(http.StatusConflict), http.StatusConflict, 1 + quick.Attempts, 1, "Refused"},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, test.handler)
			gateway := start(t)
			session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: test.creates})
			status, _ := childOf(t, session).do(t, http.MethodPost, v3CreatePath, createRequest)
			assert.Equal(t, test.status, status, "the child gets the response of Prism Central")
			assert.Len(t, test.creates.recorded(), test.calls)
			assert.InDelta(t, test.counted, testutil.ToFloat64(gateway.metrics.recordFailures.WithLabelValues(test.call)), 0)
			assert.Len(t, central.seen(), 1)
		})
	}
}

// killable sends a create. The returned function kills the child and waits until its request has ended.
func killable(t *testing.T, session *Session) (kill func()) {
	t.Helper()
	child := childOf(t, session)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	request := child.request(t, http.MethodPost, v3CreatePath, createRequest).WithContext(ctx)
	go func() {
		defer close(ended)
		resp, err := child.http.Do(request)
		if err == nil {
			_ = resp.Body.Close()
		}
		assert.Error(t, err)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func TestSentCreateContinuesAfterChildEnds(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-release
		accept(w, req)
	})
	creates := &recorder{}
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	kill := killable(t, session)
	<-arrived
	kill()
	close(release)
	session.Close() // Close returns when all creates are recorded
	assert.Equal(t, []string{sendingVM, acceptedVM}, creates.recorded())
}

func TestCreateIsNotSentAfterChildEnded(t *testing.T) {
	central := newCentral(t, accept)
	recording, gone := make(chan struct{}), make(chan struct{})
	creates := &recorder{sending: func(context.Context) error {
		close(recording)
		<-gone
		return nil
	}}
	gateway := start(t)
	session := open(t, gateway, RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v3CreatePath, strings.NewReader(createRequest))
	require.NoError(t, err)
	transport := &createTransport{next: session.upstream, session: session, retry: quick, log: gateway.log, failures: gateway.metrics.recordFailures}
	go func() {
		<-recording
		cancel()
		close(gone)
	}()
	resp, err := transport.RoundTrip(request)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []string{sendingVM, refusedVM}, creates.recorded())
	assert.Empty(t, central.seen())
}

func TestParallelCreatesAreAllRecorded(t *testing.T) {
	central := newCentral(t, accept)
	creates := &recorder{}
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	child := childOf(t, session)
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { child.do(t, http.MethodPost, v3CreatePath, createRequest) })
	}
	wait.Wait()
	session.Close()
	assert.Len(t, creates.recorded(), 20)
	status, _ := child.do(t, http.MethodPost, v3CreatePath, createRequest)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Len(t, central.seen(), 10)
}

func TestTooLargeCreateIsNotSent(t *testing.T) {
	central := newCentral(t, accept)
	creates := &recorder{}
	session := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	status, body := childOf(t, session).do(t, http.MethodPost, v3CreatePath, strings.Repeat("x", maxCreateBytes+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	assert.Equal(t, ReasonTooLarge, reasonOf(t, body))
	assert.Empty(t, central.seen())
	assert.Empty(t, creates.recorded())
}

func TestCreateResponseIsParsed(t *testing.T) {
	for _, test := range []struct {
		name  string
		api   createAPI
		reply string
		want  Created
		err   string
	}{
		{"v3", v3Create{}, createReply, Created{UUID: createdVM.UUID, TaskUUID: createdVM.TaskUUID}, ""},
		{"v3 with a list of tasks", v3Create{}, `{"metadata":{"uuid":"u"},"status":{"execution_context":{"task_uuid":["t"]}}}`, Created{UUID: "u"}, ""},
		{"v3 without UUID", v3Create{}, `{}`, Created{}, "metadata.uuid is missing"},
		{"v3 that is not JSON", v3Create{}, `<html>`, Created{}, "reading the response to a v3 create"},
		{"v4", v4Create{}, v4CreateReply, Created{TaskUUID: "ZXJnb24=:" + createdVM.TaskUUID}, ""},
		{"v4 without task", v4Create{}, `{"data":{}}`, Created{}, "data.extId, the task, is missing"},
		{"v4 that is not JSON", v4Create{}, ``, Created{}, "reading the response to a v4 create"},
	} {
		t.Run(test.name, func(t *testing.T) {
			created, err := test.api.response([]byte(test.reply))
			assert.Equal(t, test.want, created)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.err)
			}
		})
	}
	assert.Equal(t, Create{}, v3Create{}.request([]byte("x")), "Prism Central judges the request")
	assert.Equal(t, Create{Name: "m-1"}, v3Create{}.request([]byte(createRequest)))
	assert.Equal(t, Create{Name: "m-1", V4: true}, v4Create{}.request([]byte(v4CreateRequest)))
}
