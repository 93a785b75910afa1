package model

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/fault"
)

// TaskDetails are the fields of a task that only the v4 API shows.
type TaskDetails struct {
	// IsV4 is set for tasks that v4 requests started. The error of other tasks is shown as legacyErrorMessage.
	isV4          bool
	namespace     string
	Description   string
	PrismElements []string          // UUIDs of Prism Elements
	Details       map[string]string // completionDetails, set by the work
	Failure       *TaskMessage
}

// Order describes a task that a v4 request starts.
type Order struct {
	Operation     string // for example "kVmSetPowerState"
	Description   string
	Duration      time.Duration
	Entities      []TaskEntity
	PrismElements []string // UUIDs of Prism Elements
	// Queue has the tasks that this one waits for. Nil: it waits for none.
	Queue *TaskQueue
	// Work runs under the mutex after the duration. It may add entities and details to the task.
	Work func(t *Task) *TaskError
}

// Order starts a task for a request, with the task fault of that request. The caller holds the mutex.
func (pc *Central) Order(ctx context.Context, namespace string, o Order) *Task {
	t := &Task{
		TaskView: TaskView{UUID: uuid.NewString(), Operation: o.Operation, Status: taskQueued, Created: time.Now(), Entities: o.Entities},
		duration: o.Duration,
		V4:       TaskDetails{isV4: true, namespace: namespace, Description: o.Description, PrismElements: o.PrismElements},
	}
	queue := o.Queue
	if queue == nil {
		queue = &TaskQueue{}
	}
	pc.queueTask(t, queue, fault.OfTask(ctx), taskWork{do: func() *TaskError { return o.Work(t) }})
	return t
}

// Affect adds an entity that the work of the task has created.
func (t *Task) Affect(e TaskEntity) { t.Entities = append(t.Entities, e) }

// Complete adds an entry to completionDetails.
func (t *Task) Complete(name, value string) {
	if t.V4.Details == nil {
		t.V4.Details = map[string]string{}
	}
	t.V4.Details[name] = value
}

// internalErrors are the errors of the namespaces for failures without a code of their own.
var internalErrors = map[string]TaskMessage{
	"vmm":        {Code: "VMM-10000", Group: "INTERNAL_ERROR"},
	"networking": {Code: "NETWORKING-20007", Group: "API_INTERNAL_ERROR"},
	"prism":      {Code: "CTGRS-50000", Group: "INTERNAL_ERROR"},
	"volumes":    {Code: "VOL-40000", Group: "INTERNAL_ERROR"},
}

// taskErrorOf returns the error of a task with a fault.
func taskErrorOf(fault *fault.Fault, t *Task) *TaskError {
	out := &TaskError{Code: "INTERNAL_ERROR", Detail: fault.TaskError}
	if t.V4.isV4 {
		failure := internalErrors[t.V4.namespace]
		failure.Message = fault.TaskError
		if fault.TaskCode != "" {
			failure.Code, failure.Group = fault.TaskCode, fault.TaskGroup
		}
		out.V4 = &failure
	}
	return out
}
