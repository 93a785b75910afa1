package prismsim

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Task states of the v3 API.
const (
	taskQueued    = "QUEUED"
	taskRunning   = "RUNNING"
	taskSucceeded = "SUCCEEDED"
	taskFailed    = "FAILED"
)

// Task is a task as tests see it.
type Task struct {
	UUID      string    `json:"uuid"`
	Operation string    `json:"operation"` // create_vm_intentful, update_vm_intentful, delete_vm_intentful
	VM        string    `json:"vm"`        // UUID
	Status    string    `json:"status"`
	Percent   int       `json:"percent"`
	Error     string    `json:"error,omitempty"`
	Created   time.Time `json:"created"`
	Completed time.Time `json:"completed,omitzero"`
}

type task struct {
	Task
	code     string // error_code
	element  *reference
	started  time.Time
	duration time.Duration
}

// taskError is why a task failed.
type taskError struct {
	code   string
	detail string
}

// startTask queues work on a VM behind the work that is already queued for it. The work runs under the server's mutex
// after the duration; the caller holds the mutex. A task fault of the request makes it fail, before or after the work.
func (s *Server) startTask(ctx context.Context, m *machine, operation string, d time.Duration, work func() *taskError) *task {
	t := &task{
		Task:    Task{UUID: uuid.NewString(), Operation: operation, VM: m.uuid, Status: taskQueued, Created: time.Now()},
		element: s.estate.elementReference(m.element), duration: d,
	}
	s.estate.tasks = append(s.estate.tasks, t)
	m.tasks = append(m.tasks, t.UUID)
	fault := taskFault(ctx)
	before, done := m.tail, make(chan struct{})
	m.tail = done
	if s.closed {
		close(done)
		return t
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(done)
		if before != nil {
			select {
			case <-before:
			case <-s.stop:
				return
			}
		}
		s.runTask(t, m, fault, work)
	}()
	return t
}

func (s *Server) runTask(t *task, m *machine, fault *Fault, work func() *taskError) {
	s.mu.Lock()
	t.Status, t.started = taskRunning, time.Now()
	s.mu.Unlock()
	if !pause(context.Background(), s.stop, t.duration) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed *taskError
	if fault != nil && !fault.AfterWork {
		failed = &taskError{code: "INTERNAL_ERROR", detail: fault.TaskError}
		m.failedBeforeWork(s)
	} else {
		failed = work()
	}
	if fault != nil && fault.AfterWork && failed == nil {
		failed = &taskError{code: "INTERNAL_ERROR", detail: fault.TaskError}
		m.fail(failed)
	}
	t.Completed, t.Status, t.Percent = time.Now(), taskSucceeded, 100
	if failed != nil {
		t.Status, t.Error, t.code = taskFailed, failed.detail, failed.code
	}
}

// view gives a copy with the progress of this moment.
func (t *task) view() Task {
	out := t.Task
	if t.Status == taskRunning && t.duration > 0 {
		const almost = 99
		out.Percent = min(almost, int(100*time.Since(t.started)/t.duration))
	}
	return out
}

// answer gives the body of GET /tasks/{uuid}.
func (t *task) answer() map[string]any {
	view := t.view()
	body := map[string]any{
		"api_version": apiVersion, "uuid": view.UUID, "status": view.Status, "percentage_complete": view.Percent,
		"operation_type": view.Operation, "progress_message": view.Operation,
		"creation_time": stamp(view.Created), "creation_time_usecs": view.Created.UnixMicro(),
		"last_update_time": stamp(view.Created), "logical_timestamp": 1, "subtask_reference_list": []any{},
		"entity_reference_list": []reference{{Kind: "vm", UUID: view.VM}},
	}
	if t.element != nil {
		body["cluster_reference"] = t.element
	}
	if !t.started.IsZero() {
		body["start_time"], body["start_time_usecs"] = stamp(t.started), t.started.UnixMicro()
		body["last_update_time"], body["logical_timestamp"] = stamp(t.started), 2
	}
	if !view.Completed.IsZero() {
		body["completion_time"], body["completion_time_usecs"] = stamp(view.Completed), view.Completed.UnixMicro()
		body["last_update_time"], body["logical_timestamp"] = stamp(view.Completed), 3
	}
	if view.Error != "" {
		body["error_detail"], body["error_code"] = view.Error, t.code
	}
	return body
}

// stamp writes a time as v3 does.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (s *Server) getTask(r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("uuid")
	t := find(s.estate.tasks, func(t *task) bool { return t.UUID == id })
	if t == nil {
		return 0, nil, notFound("task", "The task "+id)
	}
	return http.StatusOK, t.answer(), nil
}

// Tasks gives all tasks, oldest first.
func (s *Server) Tasks() []Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Task, 0, len(s.estate.tasks))
	for _, t := range s.estate.tasks {
		out = append(out, t.view())
	}
	return out
}
