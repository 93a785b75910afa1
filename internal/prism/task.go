package prism

import (
	"context"
	"fmt"
	"strings"
)

// KindTask is the name of the kind task in errors.
const KindTask = "task"

// Task is a task in Prism Central.
type Task struct {
	UUID string
	// Status is QUEUED, RUNNING, SUCCEEDED, FAILED or another final status.
	Status string
	// Error is the reason why the task failed.
	Error string
	// VM is the UUID of the VM that the task creates or changes. It is empty if the task does not show exactly one VM, and with the v3 API.
	VM string
}

// Running reports whether the task has not ended.
func (t Task) Running() bool {
	switch t.Status {
	case "QUEUED", "RUNNING", "PENDING", "CANCELING", "SUSPENDED":
		return true
	}
	return false
}

// Failed reports whether the task ended without success.
func (t Task) Failed() bool { return !t.Running() && t.Status != "SUCCEEDED" && t.Status != "" }

// Task returns the task with the UUID uuid, or a *NotFoundError. uuid may have the prefix of v4 task IDs ("ZXJnb24=:<uuid>").
func (c *Client) Task(ctx context.Context, uuid string) (*Task, error) {
	if _, plain, found := strings.Cut(uuid, ":"); found {
		uuid = plain
	}
	if uuid == "" {
		return nil, &InvalidError{Field: "taskUUID", Reason: "it is empty"}
	}
	task, err := c.api.task(ctx, strings.ToLower(uuid))
	return task, notFound(err, KindTask, fmt.Sprintf("uuid %q", uuid))
}

func (a apiV3) task(ctx context.Context, uuid string) (*Task, error) {
	var found struct {
		Status      string `json:"status"`
		ErrorDetail string `json:"error_detail"`
	}
	if err := a.get(ctx, &found, "tasks", uuid); err != nil {
		return nil, err
	}
	return &Task{UUID: uuid, Status: strings.ToUpper(found.Status), Error: found.ErrorDetail}, nil
}
