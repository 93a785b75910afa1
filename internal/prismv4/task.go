package prismv4

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// firstPoll is the pause before a task is read for the first time. Each further pause is 1.5 times as long, up to lastPoll.
	firstPoll = 100 * time.Millisecond
	lastPoll  = 2 * time.Second
)

// Final states of a task (TaskStatus of the prism API). The other states are QUEUED, RUNNING, CANCELING and SUSPENDED.
const (
	taskSucceeded = "SUCCEEDED"
	taskFailed    = "FAILED"
	taskCanceled  = "CANCELED"
)

// operationTask is the operation of requests for tasks in metrics.
const operationTask = "Task"

// Task is a task of the prism API. The model of the SDK is not used, because it rejects the whole task if one detail has an unknown format.
type Task struct {
	UUID     string `json:"extId"`
	Status   string `json:"status"`
	Entities []struct {
		UUID string `json:"extId"`
		Rel  string `json:"rel"`
	} `json:"entitiesAffected"`
	Details []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	} `json:"completionDetails"`
	Errors      messages `json:"errorMessages"`
	LegacyError string   `json:"legacyErrorMessage"`
}

// Change describes a write.
type Change struct {
	Operation, Method, Namespace, Path string
	Body                               any
	IfMatch                            string
	// Object is the UUID of the object that is changed. It is empty if the change creates an object.
	Object string
}

// Apply sends a write and waits until its task has ended. If Prism Central has accepted the write, an error contains the UUID of the task.
func (c *Client) Apply(ctx context.Context, change Change) (Task, error) {
	uuid, err := c.Start(ctx, change)
	if err != nil {
		return Task{}, err
	}
	defer c.options.ObserveTask(change.Operation, time.Now())
	return c.await(ctx, change, uuid)
}

// Start sends a write and returns the UUID of its task.
func (c *Client) Start(ctx context.Context, change Change) (task string, err error) {
	req := request{
		operation: change.Operation, method: change.Method, namespace: change.Namespace, path: change.Path, ifMatch: change.IfMatch,
		object: change.Object,
	}
	if change.Body != nil {
		if req.body, err = json.Marshal(change.Body); err != nil {
			return "", &Error{Operation: change.Operation, Kind: Invalid, Cause: fmt.Errorf("writing the request: %w", err)}
		}
	}
	got, err := c.do(ctx, req)
	if err != nil {
		return "", err
	}
	var accepted struct {
		Data struct {
			UUID string `json:"extId"`
		} `json:"data"`
	}
	if err := json.Unmarshal(got.body, &accepted); err != nil || accepted.Data.UUID == "" {
		return "", unreadable(change.Operation, got, fmt.Errorf("it contains no task (%w)", errOr(err)))
	}
	return accepted.Data.UUID, nil
}

func errOr(err error) error {
	if err == nil {
		return fmt.Errorf("no extId in data")
	}
	return err
}

// await reads a task until it has ended.
func (c *Client) await(ctx context.Context, change Change, uuid string) (Task, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits().TaskTimeout)
	defer cancel()
	last, kind := "not seen yet", Kind("")
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		if err := sleep(ctx, wait); err != nil {
			return Task{}, &Error{
				Operation: change.Operation, Kind: cmp.Or(kind, Unavailable), Cause: err,
				Message: fmt.Sprintf("Prism Central accepted the request, and task %s has not ended in time (%s)", uuid, last),
			}
		}
		found, err := c.Task(ctx, change.Operation, uuid)
		switch {
		case Is(err, Unauthorized), Is(err, Forbidden):
			return Task{}, &Error{
				Operation: change.Operation, Kind: KindOf(err), Cause: err,
				Message: fmt.Sprintf("Prism Central accepted the request, and task %s cannot be read", uuid),
			}
		case Is(err, Throttled):
			last, kind = err.Error(), cmp.Or(kind, Throttled) // without an earlier request, Prism Central is not the cause
		case err != nil && ctx.Err() != nil:
			last = err.Error() // the context ended during the request, so kind remains
		case err != nil:
			// The task continues despite the error, so only the end of the context ends the wait.
			last, kind = err.Error(), Unavailable
		case found.Status == taskSucceeded:
			return found, nil
		case found.Status == taskFailed, found.Status == taskCanceled:
			return found, c.taskError(change, found)
		default:
			last, kind = found.Status, Unavailable
		}
	}
}

// Task reads a task once.
func (c *Client) Task(ctx context.Context, operation, uuid string) (Task, error) {
	got, err := c.do(ctx, request{
		operation: operation, label: operationTask, method: http.MethodGet, namespace: Prism,
		path: "/config/tasks/" + url.PathEscape(uuid),
	})
	if err != nil {
		return Task{}, err
	}
	var found struct {
		Data Task `json:"data"`
	}
	if err := json.Unmarshal(got.body, &found); err != nil {
		return Task{}, unreadable(operation, got, err)
	}
	return found.Data, nil
}

// taskError returns the error of a task that has failed.
func (c *Client) taskError(change Change, failed Task) *Error {
	found := failed.messages()
	first := found.first()
	secrets := strings.NewReplacer()
	c.mu.Lock()
	if c.connection != nil {
		secrets = c.connection.secrets
	}
	c.mu.Unlock()
	return &Error{
		Operation: change.Operation, Kind: taskKind(change, failed, found), Code: first.Code, Group: first.ErrorGroup,
		Message: fmt.Sprintf("task %s %s: %s", failed.UUID, strings.ToLower(failed.Status), tidy(found.text(), secrets)),
	}
}

// taskKind returns the kind of the error of a failed task. If the task did not find something, this is the object itself if the message
// contains its UUID or if the change deletes it. Otherwise it is an object to which the request refers, so the request is invalid.
func taskKind(change Change, failed Task, found messages) Kind {
	if failed.Status == taskCanceled {
		return Unavailable
	}
	if kind, ok := found.knownKind(); ok {
		return kind
	}
	text := strings.ToLower(found.text())
	if containsAny(text, goneTexts) {
		named := change.Object != "" && strings.Contains(text, strings.ToLower(change.Object))
		if named || change.Method == http.MethodDelete {
			return NotFound
		}
		return Invalid
	}
	if kind, ok := found.textKind(); ok {
		return kind
	}
	return Unavailable
}

func (t Task) messages() messages {
	if len(t.Errors) == 0 && t.LegacyError != "" {
		return messages{{Message: t.LegacyError}}
	}
	return t.Errors
}

// ErrorText returns the error messages of a failed task.
func (t Task) ErrorText() string { return t.messages().text() }

// Detail returns a completion detail whose value is a string.
func (t Task) Detail(name string) (string, bool) {
	for _, entry := range t.Details {
		var text string
		if entry.Name == name && json.Unmarshal(entry.Value, &text) == nil {
			return text, true
		}
	}
	return "", false
}

// Created returns the UUID of the only object of a kind ("floating-ip") among the entities of the task. Prism Central writes a kind as
// "networking:config:floating-ip", in the singular or the plural.
func (t Task) Created(kind string) (string, bool) {
	found := ""
	for _, entity := range t.Entities {
		last := entity.Rel[strings.LastIndex(entity.Rel, ":")+1:]
		if strings.TrimSuffix(last, "s") != kind || entity.UUID == "" {
			continue
		}
		if found != "" && found != entity.UUID {
			return "", false
		}
		found = entity.UUID
	}
	return found, found != ""
}
