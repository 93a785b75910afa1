package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	createPath = "/api/nutanix/v3/vms"
	// createTimeout ends a create that Prism Central does not answer. It is counted apart from the child, see journal.
	createTimeout = 3 * time.Minute
	// maxCreate is the largest create request; cloud-init data is far smaller.
	maxCreate = 8 << 20
)

// tooLargeError is a create request that is larger than maxCreate.
type tooLargeError struct{ limit int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the request is larger than %d bytes", e.limit)
}

// journal reports the VMs that creates make, before their replies are passed on.
//
// Once a create has left for Prism Central, nothing that happens to the child ends it: the provider writes state only
// after its create task has succeeded, so when the child dies in between, this report is what says which VM it made.
type journal struct {
	next     http.RoundTripper
	session  *Session
	bound    Retry
	log      logr.Logger
	failures prometheus.Counter
}

func isCreate(req *http.Request) bool {
	return req.Method == http.MethodPost && req.URL.Path == createPath
}

func (j *journal) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isCreate(req) || j.session.options.OnCreate == nil {
		return j.next.RoundTrip(req)
	}
	if !j.session.beginCreate() {
		return nil, errSessionClosed
	}
	defer j.session.creates.Done()
	body, err := readCreate(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), createTimeout)
	defer cancel()
	create := req.Clone(ctx)
	// With GetBody, net/http takes another connection when the kept one turns out to be closed before a byte was written.
	create.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	create.Body, _ = create.GetBody()
	create.ContentLength = int64(len(body))
	// The reply has to be readable here.
	create.Header.Del("Accept-Encoding")
	resp, err := j.next.RoundTrip(create)
	if err != nil {
		return nil, err
	}
	reply, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode < http.StatusMultipleChoices {
		j.note(ctx, body, reply)
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(reply), failing{err}))
	return resp, nil
}

func readCreate(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxCreate+1))
	_ = req.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading a create request: %w", err)
	}
	if len(body) > maxCreate {
		return nil, &tooLargeError{limit: maxCreate}
	}
	return body, nil
}

// note calls OnCreate until it succeeds, within the bound. What cannot be noted is logged and counted.
func (j *journal) note(ctx context.Context, request, reply []byte) {
	created, err := parseCreate(request, reply)
	if err == nil {
		err = j.report(ctx, created)
	}
	if err != nil {
		j.failures.Inc()
		j.log.Error(err, "A VM was created and could not be noted", "object", j.session.options.Object, "vm", created.Name, "uuid", created.UUID)
	}
}

func (j *journal) report(ctx context.Context, created Created) error {
	ctx, cancel := context.WithTimeout(ctx, j.bound.Total)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := j.session.options.OnCreate(ctx, created)
		if err == nil || j.bound.last(attempt) {
			return err
		}
		if pause(ctx, j.bound.delay(attempt)) != nil {
			return err
		}
	}
}

// parseCreate reads what a create made out of its request and its reply (v3 API, POST /vms).
func parseCreate(request, reply []byte) (Created, error) {
	var asked struct {
		Spec struct {
			Name string `json:"name"`
		} `json:"spec"`
	}
	var answered struct {
		Metadata struct {
			UUID string `json:"uuid"`
		} `json:"metadata"`
		Status struct {
			ExecutionContext struct {
				// A string here; the API's description allows a list as well, which is no reason to lose the UUID.
				TaskUUID json.RawMessage `json:"task_uuid"`
			} `json:"execution_context"`
		} `json:"status"`
	}
	// A request that Prism Central has understood is JSON; its name is a convenience.
	_ = json.Unmarshal(request, &asked)
	created := Created{Name: asked.Spec.Name}
	if err := json.Unmarshal(reply, &answered); err != nil {
		return created, fmt.Errorf("reading the reply to a create: %w", err)
	}
	created.UUID = answered.Metadata.UUID
	_ = json.Unmarshal(answered.Status.ExecutionContext.TaskUUID, &created.TaskUUID)
	if created.UUID == "" {
		return created, errors.New("reading the reply to a create: metadata.uuid is missing")
	}
	return created, nil
}

// failing is an empty reader that ends with err, or with io.EOF when err is nil.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
