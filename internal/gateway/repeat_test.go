package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/session"
)

// sequence returns a handler for creates that uses the next of the handlers for each create. Reads of tasks get no VM.
func sequence(creates ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":{"status":"RUNNING"}}`)
			return
		}
		mu.Lock()
		next := creates[0]
		creates = creates[1:]
		mu.Unlock()
		next(w, req)
	}
}

func TestRepeatedV4CreateIsNotForwarded(t *testing.T) {
	breakOff := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	withoutTask := page(http.StatusAccepted, "application/json", `{"data":{}}`)
	for name, test := range map[string]struct {
		first    http.HandlerFunc
		statuses [2]int
		result   string // in the response to the second create
		sent     int
		calls    []string
	}{
		"request timeout":   {respond(http.StatusRequestTimeout), [2]int{408, 409}, "status 408 Request Timeout", 1, []string{v4SendingVM}},
		"internal error":    {respond(http.StatusInternalServerError), [2]int{500, 409}, "status 500", 1, []string{v4SendingVM}},
		"bad gateway":       {respond(http.StatusBadGateway), [2]int{502, 409}, "status 502", 1, []string{v4SendingVM}},
		"unavailable":       {respond(http.StatusServiceUnavailable), [2]int{503, 409}, "status 503", 1, []string{v4SendingVM}},
		"gateway timeout":   {respond(http.StatusGatewayTimeout), [2]int{504, 409}, "status 504", 1, []string{v4SendingVM}},
		"broken connection": {breakOff, [2]int{502, 409}, "no response: EOF", 1, []string{v4SendingVM}},
		"no task":           {withoutTask, [2]int{202, 409}, "status 202 Accepted", 1, []string{v4SendingVM}},
		"accepted":          {accept, [2]int{202, 202}, "", 1, []string{v4SendingVM, v4AcceptedVM}},
		"too many requests": {respond(http.StatusTooManyRequests), [2]int{429, 202}, "", 2, []string{v4SendingVM, v4RefusedVM, v4SendingVM, v4AcceptedVM}},
		"rejected":          {respond(http.StatusUnprocessableEntity), [2]int{422, 202}, "", 2, []string{v4SendingVM, v4RefusedVM, v4SendingVM, v4AcceptedVM}},
	} {
		t.Run(name, func(t *testing.T) {
			central := newCentral(t, sequence(test.first, accept))
			creates := &recorder{}
			run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
			child := childOf(t, run)
			first, _ := child.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
			second, body := child.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
			statuses := [2]int{first, second}
			assert.Equal(t, test.statuses, statuses)
			if test.result != "" {
				assert.Equal(t, ReasonUnconfirmed, reasonOf(t, body))
				assert.Contains(t, v4ErrorOf(t, body).Message, test.result)
			} else {
				assert.Equal(t, v4CreateReply, body)
			}
			run.Close()
			assert.Len(t, central.sent(http.MethodPost), test.sent)
			assert.Equal(t, test.calls, creates.recorded())
		})
	}
}

// A create of another VM in the same run is not a repetition.
func TestV4CreateOfAnotherVMIsForwarded(t *testing.T) {
	central := newCentral(t, accept)
	run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: &recorder{}})
	for _, name := range []string{"m-1", "m-2"} {
		status, _ := childOf(t, run).do(t, http.MethodPost, v4CreateURL, fmt.Sprintf(`{"name":%q}`, name))
		assert.Equal(t, http.StatusAccepted, status)
	}
	assert.Len(t, central.sent(http.MethodPost), 2)
}

// The SDK may lose its connection to the gateway and repeat a create whose response has not arrived.
func TestRepeatedV4CreateWaitsForTheFirst(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	central := newCentral(t, sequence(func(w http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-release
		accept(w, req)
	}))
	run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: &recorder{}})
	child := childOf(t, run)
	var wait sync.WaitGroup
	repeat := func() {
		status, body := child.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
		assert.Equal(t, http.StatusAccepted, status)
		assert.Equal(t, v4CreateReply, body)
	}
	wait.Go(repeat)
	<-arrived
	for range 3 {
		wait.Go(repeat)
	}
	require.Eventually(t, func() bool { return run.Calls() == 4 }, waitFor, tick)
	close(release)
	wait.Wait()
	assert.Len(t, central.sent(http.MethodPost), 1)
}

func TestRequestIDIsSetOnV4CreatesAlone(t *testing.T) {
	const own, childs = "0d5c7f5e-0000-5000-8000-000000000001", "0d5c7f5e-0000-4000-8000-000000000002"
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		accept(w, req)
	})
	run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: &recorder{requestID: own}})
	child := childOf(t, run)
	for _, path := range []string{v4CreateURL, v4VM + "/$actions/power-on", v4VM + "/nics", "/api/prism/v4.2/config/categories", v3CreatePath} {
		req := child.request(t, http.MethodPost, path, v4CreateRequest)
		req.Header.Set(requestIDHeader, childs)
		resp, err := child.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	var ids []string
	for _, request := range central.sent(http.MethodPost) {
		ids = append(ids, request.header.Get(requestIDHeader))
	}
	assert.Equal(t, []string{own, childs, childs, childs, childs}, ids)
}

// A recorder that returns no request ID leaves that of the child.
func TestV4CreateKeepsTheRequestIDOfTheChild(t *testing.T) {
	central := newCentral(t, accept)
	child := childOf(t, open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: &recorder{}}))
	req := child.request(t, http.MethodPost, v4CreateURL, v4CreateRequest)
	req.Header.Set(requestIDHeader, "childs")
	resp, err := child.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "childs", central.sent(http.MethodPost)[0].header.Get(requestIDHeader))
}

// taskReply returns the response to a read of a task.
func taskReply(t *testing.T, status string, vms ...string) string {
	t.Helper()
	entities := []map[string]any{{"extId": "pe", "rel": "clustermgmt:config:cluster"}}
	for _, vm := range vms {
		entities = append(entities, map[string]any{"extId": vm, "rel": relVM})
	}
	reply, err := json.Marshal(map[string]any{"data": map[string]any{"extId": v4TaskID, "status": status, "entitiesAffected": entities}})
	require.NoError(t, err)
	return string(reply)
}

func TestVMOfV4CreateIsRecordedBeforeResponse(t *testing.T) {
	vm := fmt.Sprint("Accepted ", Created{Name: "m-1", TaskUUID: v4TaskID, UUID: createdVM.UUID})
	for name, test := range map[string]struct {
		task, poll http.HandlerFunc
		afterPost  []string
		afterPoll  []string
	}{
		"task with VM": {page(200, "application/json", taskReply(t, "RUNNING", createdVM.UUID)), nil,
			[]string{v4SendingVM, v4AcceptedVM, vm}, []string{v4SendingVM, v4AcceptedVM, vm}},
		"task without VM": {page(200, "application/json", taskReply(t, "QUEUED")), page(200, "application/json", taskReply(t, "SUCCEEDED", createdVM.UUID)),
			[]string{v4SendingVM, v4AcceptedVM}, []string{v4SendingVM, v4AcceptedVM, vm}},
		"task with two VMs": {page(200, "application/json", taskReply(t, "RUNNING", createdVM.UUID, "x")), nil,
			[]string{v4SendingVM, v4AcceptedVM}, []string{v4SendingVM, v4AcceptedVM}},
		"failed task": {page(200, "application/json", taskReply(t, "FAILED", createdVM.UUID)), nil,
			[]string{v4SendingVM, v4AcceptedVM, vm}, []string{v4SendingVM, v4AcceptedVM, vm}},
		"unknown task": {respond(http.StatusNotFound), page(200, "application/json", taskReply(t, "SUCCEEDED", createdVM.UUID)),
			[]string{v4SendingVM, v4AcceptedVM}, []string{v4SendingVM, v4AcceptedVM, vm}},
		"not JSON": {page(200, "text/html", "<html>"), page(200, "application/json", taskReply(t, "SUCCEEDED", createdVM.UUID)),
			[]string{v4SendingVM, v4AcceptedVM}, []string{v4SendingVM, v4AcceptedVM, vm}},
	} {
		t.Run(name, func(t *testing.T) {
			reads := test.task
			central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodGet {
					reads(w, req)
					return
				}
				accept(w, req)
			})
			creates := &recorder{}
			run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
			child := childOf(t, run)
			status, _ := child.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
			assert.Equal(t, http.StatusAccepted, status)
			assert.Equal(t, test.afterPost, creates.recorded())
			assert.Equal(t, v4TaskURL, central.sent(http.MethodGet)[0].path)
			if test.poll != nil {
				reads = test.poll
			}
			for range 2 {
				child.do(t, http.MethodGet, v4TaskURL, "")
			}
			child.do(t, http.MethodGet, strings.Replace(v4TaskURL, "9999", "8888", 1), "") // the task of another run
			assert.Equal(t, test.afterPoll, creates.recorded())
		})
	}
}

// If the VM cannot be recorded, the next read of the task records it.
func TestFailedRecordOfVMIsRepeated(t *testing.T) {
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			page(200, "application/json", taskReply(t, "RUNNING", createdVM.UUID))(w, req)
			return
		}
		accept(w, req)
	})
	creates := &recorder{accepted: failTimes(2 * quick.Attempts)}
	run := open(t, start(t), RunOptions{Upstream: central.upstream("admin", "pw"), Mode: ReadWrite, Creates: creates})
	child := childOf(t, run)
	child.do(t, http.MethodPost, v4CreateURL, v4CreateRequest)
	assert.Len(t, creates.recorded(), 1+2*quick.Attempts)
	for range 2 {
		child.do(t, http.MethodGet, v4TaskURL, "")
	}
	assert.Len(t, creates.recorded(), 2+2*quick.Attempts)
}

func TestV4CreateWithAPIKey(t *testing.T) {
	central := newCentral(t, accept)
	upstream := central.upstream("", "")
	upstream.APIKey = "real-key"
	child := childOf(t, open(t, start(t), RunOptions{Upstream: upstream, Mode: ReadWrite, Creates: &recorder{}}))
	req := child.request(t, http.MethodPost, v4CreateURL, v4CreateRequest)
	req.Header.Set(session.APIKeyHeader, "childs")
	resp, err := child.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	seen := central.seen()
	require.Len(t, seen, 2, "the create and the read of its task")
	for _, request := range seen {
		assert.Equal(t, []string{"real-key"}, request.header.Values(session.APIKeyHeader), request.path)
		assert.Empty(t, request.header.Get("Authorization"), request.path)
	}
}
