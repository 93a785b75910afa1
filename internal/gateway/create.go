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
	// requestIDHeader contains the ID by which Prism Central recognizes a repeated v4 request.
	requestIDHeader = "NTNX-Request-Id"
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
	// Sending is called before the create is sent. It returns the request ID of a v4 create, a UUID, or an empty string if the request keeps
	// the ID of the child. If all retries fail, the create is not sent, and the child gets an error with ReasonNotRecorded.
	Sending(ctx context.Context, create Create) (requestID string, err error)
	// Accepted is called before a 2xx response is passed to the child. If all retries fail, the child gets the response anyway, because the
	// VM exists. The failure is logged and counted. For a v4 create, Accepted is called with the task, and again when the task shows the
	// UUID of the VM.
	Accepted(ctx context.Context, created Created) error
	// Refused is called if Prism Central has certainly not created a VM, because the request was not sent or because the status is 4xx but
	// not 408. If all retries fail, the failure is logged and counted.
	Refused(ctx context.Context, create Create) error
}

// Create describes a virtual machine that a child wants to create.
type Create struct {
	// Name is the name of the VM. It is empty if the request contains no name.
	Name string
	// V4 is true if the create is sent with the v4 API.
	V4 bool
}

// Created describes a virtual machine whose creation Prism Central has accepted.
type Created struct {
	// UUID is the UUID of the VM. It is empty for a v4 create whose task does not show the VM yet.
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
	if _, v4 := api.(v4Create); v4 {
		return t.createOnce(req, api, body)
	}
	resp, _, err := t.create(req, api, body)
	return resp, err
}

// outcome is what is known about a create.
type outcome int

const (
	// unknown means that Prism Central may have created a VM.
	unknown outcome = iota
	// refused means that Prism Central has certainly not created a VM.
	refused
	// accepted means that Prism Central creates a VM, or has created it.
	accepted
)

// create records and sends a create.
func (t *createTransport) create(req *http.Request, api createAPI, body []byte) (*http.Response, outcome, error) {
	recorder := t.session.options.Creates
	ctx, create := context.WithoutCancel(req.Context()), api.request(body)
	var requestID string
	err := t.record(ctx, func(ctx context.Context) (err error) {
		requestID, err = recorder.Sending(ctx, create)
		return err
	})
	if err != nil {
		t.failed("Sending", create.Name, "", err)
		return nil, refused, &apiError{status: http.StatusServiceUnavailable, reason: ReasonNotRecorded,
			message: fmt.Sprintf("virtual machine %q was not created, because recording its creation failed: %v", create.Name, err)}
	}
	if err := req.Context().Err(); err != nil {
		t.refused(ctx, recorder, create)
		return nil, refused, err
	}
	resp, reply, connected, err := t.send(ctx, req, body, requestID)
	switch {
	case err != nil && !connected, err == nil && isRefusal(resp.StatusCode):
		t.refused(ctx, recorder, create)
		return resp, refused, err
	case err == nil && resp.StatusCode < http.StatusMultipleChoices && t.accepted(ctx, req, create, api, reply):
		return resp, accepted, nil
	}
	return resp, unknown, err
}

// send sends the create, with the request ID if it is a v4 create, and reads the whole response. connected is false if the connection to Prism
// Central could not be established or verified. In that case the create was certainly not sent.
func (t *createTransport) send(ctx context.Context, req *http.Request, body []byte, requestID string) (
	resp *http.Response, reply []byte, connected bool, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	var hasConnection atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { hasConnection.Store(true) }})
	create := req.Clone(ctx)
	setBody(create, body)
	// The response must not be compressed, because the gateway has to read the body.
	create.Header.Del("Accept-Encoding")
	if requestID != "" && v4CreatePath.MatchString(create.URL.Path) {
		create.Header.Set(requestIDHeader, requestID)
	}
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

// accepted records a create that Prism Central has accepted. If the response contains only a task, accepted reads the VM from the task.
// accepted returns false if the response contains neither a VM nor a task.
func (t *createTransport) accepted(ctx context.Context, req *http.Request, create Create, api createAPI, reply []byte) bool {
	created, err := api.response(reply)
	created.Name = create.Name
	if err != nil {
		t.failed("Accepted", created.Name, "", err)
		return false
	}
	t.recordAccepted(ctx, created)
	if created.UUID == "" {
		t.session.tasks.add(created)
		t.resolve(ctx, req, created)
	}
	return true
}

// recordAccepted calls Accepted and reports whether it has succeeded.
func (t *createTransport) recordAccepted(ctx context.Context, created Created) bool {
	err := t.record(ctx, func(ctx context.Context) error { return t.session.options.Creates.Accepted(ctx, created) })
	if err != nil {
		t.failed("Accepted", created.Name, created.UUID, err)
	}
	return err == nil
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
