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

// TaskView is a copy of a task for tests.
type TaskView struct {
	UUID      string    `json:"uuid"`
	Operation string    `json:"operation"` // create_vm_intentful, update_vm_intentful, delete_vm_intentful
	VM        string    `json:"vm"`        // UUID; empty for tasks of other entities
	Status    string    `json:"status"`
	Percent   int       `json:"percent"`
	Error     string    `json:"error,omitempty"`
	Created   time.Time `json:"created"`
	Completed time.Time `json:"completed,omitzero"`
	// Entities are the entities of a task that a v4 request started. They include VMs.
	Entities []TaskEntity `json:"entities,omitempty"`
}

// TaskEntity is an entity that a task changes. Rel is the v4 type of the entity, for example "vmm:ahv:config:vm".
type TaskEntity struct {
	UUID string `json:"uuid"`
	Rel  string `json:"rel"`
	Name string `json:"name,omitempty"`
}

// Task is an asynchronous change of one or more entities.
type Task struct {
	TaskView
	Code         string // error_code in v3
	PrismElement *wire.Reference
	Started      time.Time
	duration     time.Duration
	V4           TaskDetails
}

// TaskError is the error of a failed task. V4 is only set for tasks that v4 requests started.
type TaskError struct {
	Code   string
	Detail string
	V4     *TaskMessage
}

// TaskMessage is the error of a failed task in the format of v4.
type TaskMessage struct {
	Code, Group, Message string
	Arguments            map[string]string
}

// TaskQueue runs tasks one after the other. The zero value is an empty queue.
type TaskQueue struct{ Tail chan struct{} }

// taskWork contains the functions that make the change of a task. They are called with the mutex held.
type taskWork struct {
	do func() *TaskError
	// refused is called if a fault fails the task before its work. failed is called if a fault fails the task after its
	// work. Both may be nil.
	refused func()
	failed  func(*TaskError)
}

// StartTask starts a task that changes the VM m for the request of ctx. If a fault of that request affects tasks,
// StartTask applies the fault to the task. The task starts when all earlier tasks of the VM have ended. After the
// duration d, work is called with the mutex held. The caller must hold the mutex.
func (pc *Central) StartTask(ctx context.Context, m *VM, operation string, d time.Duration, work func() *TaskError) *Task {
	t := &Task{
		TaskView:     TaskView{UUID: uuid.NewString(), Operation: operation, VM: m.UUID, Status: taskQueued, Created: time.Now()},
		PrismElement: pc.PrismElementReference(m.PrismElement), duration: d,
	}
	m.Tasks = append(m.Tasks, t.UUID)
	pc.queueTask(t, &m.Queue, fault.OfTask(ctx), taskWork{do: work, refused: func() { m.failedBeforeWork(pc) }, failed: m.fail})
	return t
}

// queueTask adds a task to a queue. The task runs when all earlier tasks in the queue have ended.
func (pc *Central) queueTask(t *Task, queue *TaskQueue, injected *fault.Fault, work taskWork) {
	pc.Tasks.Add(t)
	before, done := queue.Tail, make(chan struct{})
	queue.Tail = done
	if pc.closed {
		close(done)
		return
	}
	pc.running.Add(1)
	go func() {
		defer pc.running.Done()
		defer close(done)
		if before != nil {
			select {
			case <-before:
			case <-pc.stop:
				return
			}
		}
		pc.runTask(t, injected, work)
	}()
}

func (pc *Central) runTask(t *Task, injected *fault.Fault, work taskWork) {
	pc.Mu.Lock()
	t.Status, t.Started = taskRunning, time.Now()
	pc.Mu.Unlock()
	if !fault.Pause(context.Background(), pc.stop, t.duration) {
		return
	}
	pc.Mu.Lock()
	defer pc.Mu.Unlock()
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

// View returns a copy of the task with its current progress.
func (t *Task) View() TaskView {
	out := t.TaskView
	if t.Status == taskRunning && t.duration > 0 {
		const almost = 99
		out.Percent = min(almost, int(100*time.Since(t.Started)/t.duration))
	}
	return out
}

// ShownEntities returns the entities of the task that the APIs show under the rules.
func (t *Task) ShownEntities(rules Rules) []TaskEntity {
	entities := slices.Clone(t.Entities)
	if t.VM != "" {
		entities = []TaskEntity{{UUID: t.VM, Rel: RelVM}}
	}
	if rules.DuplicateTaskEntities {
		entities = append(entities, entities...)
	}
	if rules.UnknownTaskEntities {
		unknown := TaskEntity{UUID: inventory.DeriveUUID("unknown", t.UUID), Rel: RelVM}
		if t.V4.creates {
			unknown.Rel = relDisk
		}
		entities = append([]TaskEntity{unknown}, entities...)
	}
	return entities
}
