package prismsim

import (
	"context"
	"net/http"
	"slices"
	"strings"
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
	VM        string    `json:"vm"`        // UUID; empty when it is about something else
	Status    string    `json:"status"`
	Percent   int       `json:"percent"`
	Error     string    `json:"error,omitempty"`
	Created   time.Time `json:"created"`
	Completed time.Time `json:"completed,omitzero"`
	// Entities are what a task of the v4 API is about; VMs are among them.
	Entities []TaskEntity `json:"entities,omitempty"`
}

// TaskEntity is an entity that a task changes. Rel is its type as v4 names it, for example "vmm:ahv:config:vm".
type TaskEntity struct {
	UUID string `json:"uuid"`
	Rel  string `json:"rel"`
	Name string `json:"name,omitempty"`
}

type task struct {
	Task
	code     string // error_code
	element  *reference
	started  time.Time
	duration time.Duration
	v4       v4Task
}

// taskError is why a task failed. Tasks of the v4 API also have it as a message with a code.
type taskError struct {
	code   string
	detail string
	v4     *taskMessage
}

// taskMessage is why a task failed, as the v4 API says it.
type taskMessage struct {
	code, group, message string
	arguments            map[string]string
}

// taskQueue lets tasks run one after the other. The zero value is empty.
type taskQueue struct{ tail chan struct{} }

// taskWork is what a task does. All functions run under the server's mutex.
type taskWork struct {
	do func() *taskError
	// refused and failed, if set, say what remains when a fault makes the task fail before or after its work.
	refused func()
	failed  func(*taskError)
}

// startTask queues work on a VM behind the work that is already queued for it. The work runs under the server's mutex
// after the duration; the caller holds the mutex. A task fault of the request makes it fail, before or after the work.
func (e *estate) startTask(ctx context.Context, m *machine, operation string, d time.Duration, work func() *taskError) *task {
	t := &task{
		Task:    Task{UUID: uuid.NewString(), Operation: operation, VM: m.uuid, Status: taskQueued, Created: time.Now()},
		element: e.elementReference(m.element), duration: d,
	}
	m.tasks = append(m.tasks, t.UUID)
	e.queueTask(t, &m.queue, taskFault(ctx), taskWork{do: work, refused: func() { m.failedBeforeWork(e) }, failed: m.fail})
	return t
}

// queueTask runs a task behind those that are in its queue.
func (e *estate) queueTask(t *task, queue *taskQueue, fault *Fault, work taskWork) {
	e.tasks.add(t)
	before, done := queue.tail, make(chan struct{})
	queue.tail = done
	if e.closed {
		close(done)
		return
	}
	e.running.Add(1)
	go func() {
		defer e.running.Done()
		defer close(done)
		if before != nil {
			select {
			case <-before:
			case <-e.stop:
				return
			}
		}
		e.runTask(t, fault, work)
	}()
}

func (e *estate) runTask(t *task, fault *Fault, work taskWork) {
	e.mu.Lock()
	t.Status, t.started = taskRunning, time.Now()
	e.mu.Unlock()
	if !pause(context.Background(), e.stop, t.duration) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var failed *taskError
	if fault != nil && !fault.AfterWork {
		failed = taskErrorOf(fault, t)
		if work.refused != nil {
			work.refused()
		}
	} else {
		failed = work.do()
	}
	if fault != nil && fault.AfterWork && failed == nil {
		failed = taskErrorOf(fault, t)
		if work.failed != nil {
			work.failed(failed)
		}
	}
	t.Completed, t.Status, t.Percent = time.Now(), taskSucceeded, 100
	if failed != nil {
		t.Status, t.Error, t.code, t.v4.failure = taskFailed, failed.detail, failed.code, failed.v4
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

// taskBody gives the body of GET /tasks/{uuid}.
func taskBody(t *task, rules Rules) map[string]any {
	view := t.view()
	body := map[string]any{
		"api_version": apiVersion, "uuid": view.UUID, "status": view.Status, "percentage_complete": view.Percent,
		"operation_type": view.Operation, "progress_message": view.Operation,
		"creation_time": stamp(view.Created), "creation_time_usecs": view.Created.UnixMicro(),
		"last_update_time": stamp(view.Created), "logical_timestamp": 1, "subtask_reference_list": []any{},
		"entity_reference_list": taskReferences(t, rules),
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

// entities returns what a task says that it is about.
func (t *task) entities(rules Rules) []TaskEntity {
	entities := slices.Clone(t.Entities)
	if t.VM != "" {
		entities = []TaskEntity{{UUID: t.VM, Rel: relVM}}
	}
	if rules.DuplicateTaskEntities {
		entities = append(entities, entities...)
	}
	if rules.UnknownTaskEntities {
		entities = append([]TaskEntity{{UUID: deriveUUID("unknown", t.UUID), Rel: relVM}}, entities...)
	}
	return entities
}

// taskReferences gives the entities of a task as v3 does, by kind: the last part of the type.
func taskReferences(t *task, rules Rules) []reference {
	out := []reference{}
	for _, e := range t.entities(rules) {
		out = append(out, reference{Kind: e.Rel[strings.LastIndexByte(e.Rel, ':')+1:], Name: e.Name, UUID: e.UUID})
	}
	return out
}

// stamp writes a time as v3 does.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (api *v3API) getTask(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	id := r.PathValue("uuid")
	t := find(api.tasks.all, func(t *task) bool { return t.UUID == id })
	if t == nil {
		return 0, nil, notFound("task", "The task "+id)
	}
	return http.StatusOK, taskBody(t, api.rules), nil
}

// Tasks gives all tasks, oldest first.
func (c *control) Tasks() []Task {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	out := make([]Task, 0, len(c.estate.tasks.all))
	for _, t := range c.estate.tasks.all {
		out = append(out, t.view())
	}
	return out
}
