package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	createRequest = `{"metadata":{"kind":"vm"},"spec":{"name":"m-1","resources":{}}}`
	createReply   = `{"api_version":"3.1","metadata":{"kind":"vm","uuid":"11111111-2222-3333-4444-555555555555","spec_version":0},` +
		`"spec":{},"status":{"state":"PENDING","execution_context":{"task_uuid":"99999999-2222-3333-4444-555555555555"}}}`
)

var createdVM = Created{UUID: "11111111-2222-3333-4444-555555555555", Name: "m-1", TaskUUID: "99999999-2222-3333-4444-555555555555"}

func accepted(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, createReply)
}

func TestACreateIsNotedBeforeItsReplyIsPassedOn(t *testing.T) {
	central := newCentral(t, accepted)
	noting, release := make(chan Created), make(chan struct{})
	session := open(t, start(t), RunOptions{
		Upstream: central.upstream("admin", "pw"),
		Mode:     ReadWrite,
		OnCreate: func(_ context.Context, created Created) error {
			noting <- created
			<-release
			return nil
		},
	})
	child := childOf(t, session)
	req := child.request(t, http.MethodPost, createPath, createRequest)
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
	assert.Equal(t, createdVM, <-noting)
	select {
	case <-replied:
		t.Fatal("the reply was passed on before the create was noted")
	default:
	}
	close(release)
	assert.Equal(t, createReply, <-replied)
	assert.Equal(t, createRequest, central.seen()[0].body)
	assert.Empty(t, central.seen()[0].header.Get("Accept-Encoding"), "the reply has to be readable")
}

func TestOnlySuccessfulCreatesAreNoted(t *testing.T) {
	for _, test := range []struct {
		name, method, path string
		handler            http.HandlerFunc
	}{
		{"refused", http.MethodPost, createPath, answer(http.StatusUnprocessableEntity)},
		{"failed", http.MethodPost, createPath, answer(http.StatusInternalServerError)},
		{"list", http.MethodPost, createPath + "/list", accepted},
		{"update", http.MethodPut, createPath + "/1", accepted},
		{"another kind", http.MethodPost, "/api/nutanix/v3/images", accepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			var noted atomic.Int32
			central := newCentral(t, test.handler)
			session := open(t, start(t), RunOptions{
				Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
				OnCreate: func(context.Context, Created) error { noted.Add(1); return nil },
			})
			childOf(t, session).do(t, test.method, test.path, createRequest)
			assert.Zero(t, noted.Load())
		})
	}
}

func TestAFailingJournalIsRepeatedAndThenCounted(t *testing.T) {
	for name, test := range map[string]struct {
		failures int32
		calls    int32
		counted  float64
	}{"passing": {2, 3, 0}, "for good": {1000, int32(quick.Attempts), 1}} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			central := newCentral(t, accepted)
			gateway := start(t)
			session := open(t, gateway, RunOptions{
				Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
				OnCreate: func(context.Context, Created) error {
					if calls.Add(1) <= test.failures {
						return errors.New("conflict")
					}
					return nil
				},
			})
			status, body := childOf(t, session).do(t, http.MethodPost, createPath, createRequest)
			assert.Equal(t, http.StatusAccepted, status, "the VM is there: the reply passes")
			assert.Equal(t, createReply, body)
			assert.Equal(t, test.calls, calls.Load())
			assert.InDelta(t, test.counted, testutil.ToFloat64(gateway.metrics.journalFailures), 0)
			assert.Len(t, central.seen(), 1)
		})
	}
}

func TestACreateIsNotedAlthoughItsChildIsGone(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	central := newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-release
		accepted(w, req)
	})
	var noted []Created
	session := open(t, start(t), RunOptions{
		Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
		OnCreate: func(ctx context.Context, created Created) error {
			noted = append(noted, created)
			return ctx.Err()
		},
	})
	child := childOf(t, session)
	ctx, kill := context.WithCancel(t.Context())
	dead := make(chan struct{})
	request := child.request(t, http.MethodPost, createPath, createRequest).WithContext(ctx)
	go func() {
		defer close(dead)
		resp, err := child.http.Do(request)
		if err == nil {
			_ = resp.Body.Close()
		}
		assert.Error(t, err)
	}()
	<-arrived
	kill()
	<-dead
	close(release)
	session.Close() // returns when the journal is complete, so noted needs no lock
	assert.Equal(t, []Created{createdVM}, noted)
}

func TestParallelCreatesAreAllNoted(t *testing.T) {
	central := newCentral(t, accepted)
	var mu sync.Mutex
	noted := 0
	session := open(t, start(t), RunOptions{
		Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
		OnCreate: func(context.Context, Created) error {
			mu.Lock()
			defer mu.Unlock()
			noted++
			return nil
		},
	})
	child := childOf(t, session)
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { child.do(t, http.MethodPost, createPath, createRequest) })
	}
	wait.Wait()
	session.Close()
	assert.Equal(t, 10, noted)
	status, _ := child.do(t, http.MethodPost, createPath, createRequest)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Len(t, central.seen(), 10)
}

func TestACreateThatIsTooLargeIsNotSent(t *testing.T) {
	central := newCentral(t, accepted)
	session := open(t, start(t), RunOptions{
		Upstream: central.upstream("admin", "pw"), Mode: ReadWrite,
		OnCreate: func(context.Context, Created) error { return nil },
	})
	status, body := childOf(t, session).do(t, http.MethodPost, createPath, strings.Repeat("x", maxCreate+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	assert.Equal(t, ReasonTooLarge, reasonOf(t, body))
	assert.Empty(t, central.seen())
}

func TestParseCreate(t *testing.T) {
	for _, test := range []struct {
		name, request, reply string
		want                 Created
		err                  string
	}{
		{"complete", createRequest, createReply, createdVM, ""},
		{"a list of tasks", createRequest, `{"metadata":{"uuid":"u"},"status":{"execution_context":{"task_uuid":["t"]}}}`, Created{UUID: "u", Name: "m-1"}, ""},
		{"a request that is no JSON", `x`, `{"metadata":{"uuid":"u"}}`, Created{UUID: "u"}, ""},
		{"no UUID", createRequest, `{}`, Created{Name: "m-1"}, "metadata.uuid is missing"},
		{"a reply that is no JSON", createRequest, `<html>`, Created{Name: "m-1"}, "reading the reply to a create"},
	} {
		t.Run(test.name, func(t *testing.T) {
			created, err := parseCreate([]byte(test.request), []byte(test.reply))
			assert.Equal(t, test.want, created)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.err)
			}
		})
	}
}
