package model

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Task states of the v3 API.
const (
	taskQueued    = "QUEUED"
	taskRunning   = "RUNNING"
	TaskSucceeded = "SUCCEEDED"
	TaskFailed    = "FAILED"
)

// TaskView is a task as tests see it.
type TaskView struct {
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

type Task struct {
	TaskView
	Code         string // error_code
	PrismElement *wire.Reference
	Started      time.Time
	duration     time.Duration
	V4           TaskDetails
}

// TaskError is why a task failed. Tasks of the v4 API also have it as a message with a code.
type TaskError struct {
	Code   string
	Detail string
	V4     *TaskMessage
}

// TaskMessage is why a task failed, as the v4 API says it.
type TaskMessage struct {
	Code, Group, Message string
	Arguments            map[string]string
}

// TaskQueue lets tasks run one after the other. The zero value is empty.
type TaskQueue struct{ Tail chan struct{} }

// taskWork is what a task does. All functions run under the server's mutex.
type taskWork struct {
	do func() *TaskError
	// refused and failed, if set, say what remains when a fault makes the task fail before or after its work.
	refused func()
	failed  func(*TaskError)
}

// StartTask queues work on a VM behind the work that is already queued for it. The work runs under the server's mutex
// after the duration; the caller holds the mutex. A task fault of the request makes it fail, before or after the work.
func (e *Central) StartTask(ctx context.Context, m *VM, operation string, d time.Duration, work func() *TaskError) *Task {
	t := &Task{
		TaskView:     TaskView{UUID: uuid.NewString(), Operation: operation, VM: m.UUID, Status: taskQueued, Created: time.Now()},
		PrismElement: e.PrismElementReference(m.PrismElement), duration: d,
	}
	m.Tasks = append(m.Tasks, t.UUID)
	e.queueTask(t, &m.Queue, fault.OfTask(ctx), taskWork{do: work, refused: func() { m.failedBeforeWork(e) }, failed: m.fail})
	return t
}

// queueTask runs a task behind those that are in its queue.
func (e *Central) queueTask(t *Task, queue *TaskQueue, injected *fault.Fault, work taskWork) {
	e.Tasks.Add(t)
	before, done := queue.Tail, make(chan struct{})
	queue.Tail = done
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
		e.runTask(t, injected, work)
	}()
}

func (e *Central) runTask(t *Task, injected *fault.Fault, work taskWork) {
	e.Mu.Lock()
	t.Status, t.Started = taskRunning, time.Now()
	e.Mu.Unlock()
	if !fault.Pause(context.Background(), e.stop, t.duration) {
		return
	}
	e.Mu.Lock()
	defer e.Mu.Unlock()
	var failed *TaskError
	if injected != nil && !injected.AfterWork {
		failed = taskErrorOf(injected, t)
		if work.refused != nil {
			work.refused()
		}
	} else {
		failed = work.do()
	}
	if injected != nil && injected.AfterWork && failed == nil {
		failed = taskErrorOf(injected, t)
		if work.failed != nil {
			work.failed(failed)
		}
	}
	t.Completed, t.Status, t.Percent = time.Now(), TaskSucceeded, 100
	if failed != nil {
		t.Status, t.Error, t.Code, t.V4.Failure = TaskFailed, failed.Detail, failed.Code, failed.V4
	}
}

// View gives a copy with the progress of this moment.
func (t *Task) View() TaskView {
	out := t.TaskView
	if t.Status == taskRunning && t.duration > 0 {
		const almost = 99
		out.Percent = min(almost, int(100*time.Since(t.Started)/t.duration))
	}
	return out
}

// ShownEntities returns what a task says that it is about.
func (t *Task) ShownEntities(rules Rules) []TaskEntity {
	entities := slices.Clone(t.Entities)
	if t.VM != "" {
		entities = []TaskEntity{{UUID: t.VM, Rel: RelVM}}
	}
	if rules.DuplicateTaskEntities {
		entities = append(entities, entities...)
	}
	if rules.UnknownTaskEntities {
		entities = append([]TaskEntity{{UUID: inventory.DeriveUUID("unknown", t.UUID), Rel: RelVM}}, entities...)
	}
	return entities
}
