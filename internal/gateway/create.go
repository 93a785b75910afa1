package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// createTimeout limits the wait for Prism Central's response to a create. It starts when the create is sent. It also applies if the
	// child ends earlier.
	createTimeout = 3 * time.Minute
	// maxCreateBytes limits the body of a create request. User data, the largest part, has a much lower limit.
	maxCreateBytes = 8 << 20
)

// CreateRecorder records the creation of virtual machines. The record identifies a VM whose create request was sent but which is not in
// the Terraform state, because the manager or Terraform ended or the response was lost.
//
// The gateway calls Sending before it sends a create. Afterwards it calls Accepted, Refused or neither. If it calls neither, it is
// unknown whether Prism Central created a VM. The causes are a 5xx response, a timeout, a broken connection and a crash of the manager.
//
// The gateway retries each method within Options.RecordRetry. The contexts stay valid after the child or its run has ended. A method must
// not call Session.Close, because Close waits for the method.
type CreateRecorder interface {
	// Sending is called before the create is sent. If all retries fail, the create is not sent, and the child gets an error with
	// ReasonNotRecorded.
	Sending(ctx context.Context, create Create) error
	// Accepted is called before a 2xx response is passed to the child. If all retries fail, the child gets the response anyway, because the
	// VM exists. The failure is logged and counted.
	Accepted(ctx context.Context, created Created) error
	// Refused is called if Prism Central has certainly not created a VM, because the request was not sent or because the status is 4xx but
	// not 408. If all retries fail, the failure is logged and counted.
	Refused(ctx context.Context, create Create) error
}

// Create describes a virtual machine that a child wants to create.
type Create struct {
	// Name is the name of the VM. It is empty if the request contains no name.
	Name string
}

// Created describes a virtual machine whose creation Prism Central has accepted.
type Created struct {
	// UUID is the UUID of the VM. It is empty for a v4 create, because the response contains only the task.
	UUID string
	// Name is the same as Create.Name.
	Name string
	// TaskUUID identifies the task that creates the VM, as in the response. In v4 it has a prefix ("ZXJnb24=:<uuid>").
	TaskUUID string
}

// createTransport records creates with the session's CreateRecorder.
//
// After a create was sent, createTransport waits for the response even if the child is killed. The provider writes a VM to the state only
// when the create task has succeeded, so the VM of a killed child is known only from the record.
type createTransport struct {
	next     http.RoundTripper
	session  *Session
	retry    Retry
	log      logr.Logger
	failures *prometheus.CounterVec
}

func (t *createTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	api := createAPIOf(req)
	recorder := t.session.options.Creates
	if api == nil || recorder == nil {
		return t.next.RoundTrip(req)
	}
	if !t.session.beginCreate() {
		return nil, unauthorized()
	}
	defer t.session.creates.Done()
	body, err := readBody(req, maxCreateBytes)
	if err != nil {
		return nil, fmt.Errorf("reading a create request: %w", err)
	}
	ctx, create := context.WithoutCancel(req.Context()), api.request(body)
	if err := t.record(ctx, func(ctx context.Context) error { return recorder.Sending(ctx, create) }); err != nil {
		t.failed("Sending", create.Name, "", err)
		return nil, &apiError{status: http.StatusServiceUnavailable, reason: ReasonNotRecorded,
			message: fmt.Sprintf("virtual machine %q was not created, because recording its creation failed: %v", create.Name, err)}
	}
	if err := req.Context().Err(); err != nil {
		t.refused(ctx, recorder, create)
		return nil, err
	}
	resp, reply, connected, err := t.send(ctx, req, body)
	switch {
	case err != nil && !connected, err == nil && isRefusal(resp.StatusCode):
		t.refused(ctx, recorder, create)
	case err == nil && resp.StatusCode < http.StatusMultipleChoices:
		t.accepted(ctx, recorder, create, api, reply)
	}
	return resp, err
}

// send sends the create and reads the whole response. connected is false if the connection to Prism Central could not be established or
// verified. In that case the create was certainly not sent.
func (t *createTransport) send(ctx context.Context, req *http.Request, body []byte) (resp *http.Response, reply []byte, connected bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	var hasConnection atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { hasConnection.Store(true) }})
	create := req.Clone(ctx)
	setBody(create, body)
	// The response must not be compressed, because the gateway has to read the body.
	create.Header.Del("Accept-Encoding")
	resp, err = t.next.RoundTrip(create)
	if err != nil {
		return nil, nil, hasConnection.Load(), err
	}
	reply, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = &bufferedBody{Reader: bytes.NewReader(reply), err: err}
	return resp, reply, true, nil
}

// isRefusal reports whether a status means that Prism Central did not execute the request. Status 408 does not mean that.
func isRefusal(status int) bool {
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusRequestTimeout
}

func (t *createTransport) accepted(ctx context.Context, recorder CreateRecorder, create Create, api createAPI, reply []byte) {
	created, err := api.response(reply)
	created.Name = create.Name
	if err == nil {
		err = t.record(ctx, func(ctx context.Context) error { return recorder.Accepted(ctx, created) })
	}
	if err != nil {
		t.failed("Accepted", created.Name, created.UUID, err)
	}
}

func (t *createTransport) refused(ctx context.Context, recorder CreateRecorder, create Create) {
	if err := t.record(ctx, func(ctx context.Context) error { return recorder.Refused(ctx, create) }); err != nil {
		t.failed("Refused", create.Name, "", err)
	}
}

func (t *createTransport) failed(call, name, uuid string, err error) {
	t.failures.WithLabelValues(call).Inc()
	t.log.Error(err, "Recording the creation of a VM failed", "object", t.session.options.Object, "call", call, "vm", name, "uuid", uuid)
}

// record repeats call until it succeeds or the limits of t.retry are reached.
func (t *createTransport) record(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.retry.Total)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := call(ctx)
		if err == nil || t.retry.last(attempt) {
			return err
		}
		if sleep(ctx, t.retry.delay(attempt)) != nil {
			return err
		}
	}
}
