package model

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/fault"
)

// TaskDetails contains the fields of a task that only the v4 API shows.
type TaskDetails struct {
	// isV4 is true for tasks that v4 requests started. The v4 API shows the error of other tasks as legacyErrorMessage.
	isV4          bool
	creates       bool // true if the task creates a VM
	namespace     string
	Description   string
	PrismElements []string          // UUIDs of Prism Elements
	Details       map[string]string // completionDetails; set by the work of the task
	Failure       *TaskMessage
}

// Order describes a task that a v4 request starts.
type Order struct {
	Operation     string // for example "kVmSetPowerState"
	Description   string
	Duration      time.Duration
	Entities      []TaskEntity
	PrismElements []string // UUIDs of Prism Elements
	// Queue contains the tasks that must end before this task starts. If Queue is nil, the task starts immediately.
	Queue *TaskQueue
	// Creates is the VM that the task creates, or nil.
	Creates *VM
	// Work is called after the duration, with the mutex held. It may add entities and details to the task.
	Work func(t *Task) *TaskError
}

// Order starts the task that o describes for the request of ctx. If a fault of that request affects tasks, Order
// applies the fault to the task. The caller must hold the mutex.
func (pc *Central) Order(ctx context.Context, namespace string, o Order) *Task {
	t := &Task{
		TaskView: TaskView{UUID: uuid.NewString(), Operation: o.Operation, Status: taskQueued, Created: time.Now(), Entities: o.Entities},
		duration: o.Duration,
		V4:       TaskDetails{isV4: true, creates: o.Creates != nil, namespace: namespace, Description: o.Description, PrismElements: o.PrismElements},
	}
	queue := o.Queue
	if queue == nil {
		queue = &TaskQueue{}
	}
	work := taskWork{do: func() *TaskError { return o.Work(t) }}
	if o.Creates != nil {
		work.refused, work.failed = func() { o.Creates.failedBeforeWork(pc) }, o.Creates.fail
	}
	pc.queueTask(t, queue, fault.OfTask(ctx), work)
	return t
}

// Affect adds an entity that the task has created.
func (t *Task) Affect(e TaskEntity) { t.Entities = append(t.Entities, e) }

// Complete adds an entry to the completionDetails of the task.
func (t *Task) Complete(name, value string) {
	if t.V4.Details == nil {
		t.V4.Details = map[string]string{}
	}
	t.V4.Details[name] = value
}

// internalErrors contains, for each namespace, the error of a failure that has no code of its own.
var internalErrors = map[string]TaskMessage{
	"vmm":        {Code: "VMM-10000", Group: "INTERNAL_ERROR"},
	"networking": {Code: "NETWORKING-20007", Group: "API_INTERNAL_ERROR"},
	"prism":      {Code: "CTGRS-50000", Group: "INTERNAL_ERROR"},
	"volumes":    {Code: "VOL-40000", Group: "INTERNAL_ERROR"},
}

// taskErrorOf returns the error with which a fault makes the task t fail.
func taskErrorOf(fault *fault.Fault, t *Task) *TaskError {
	out := &TaskError{Code: "INTERNAL_ERROR", Detail: fault.TaskError}
	if t.V4.isV4 && !fault.TaskSilent {
		failure := internalErrors[t.V4.namespace]
		failure.Message = fault.TaskError
		if fault.TaskCode != "" {
			failure.Code, failure.Group = fault.TaskCode, fault.TaskGroup
		}
		out.V4 = &failure
	}
	return out
}
