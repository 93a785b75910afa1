package nutanix

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
	// firstPoll is the pause before a task is asked for the first time. Each further pause is half as long again, up to
	// lastPoll.
	firstPoll = 100 * time.Millisecond
	lastPoll  = 2 * time.Second
)

// States of a task in which it will not change any more (TaskStatus of the prism API). The others are QUEUED, RUNNING,
// CANCELING and SUSPENDED.
const (
	taskSucceeded = "SUCCEEDED"
	taskFailed    = "FAILED"
	taskCanceled  = "CANCELED"
)

// task is what is needed of a task of the prism API. The vendor's model is not used: it refuses the whole task when one
// detail has a form that it does not know.
type task struct {
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

// change is a write of the v4 API.
type change struct {
	operation, method, path string
	body                    any
	ifMatch                 string
	// object is the UUID of what is changed, empty for a creation.
	object string
}

// apply sends a write of the networking API and waits until its task has ended. An error after Prism Central has accepted
// it names the task.
func (c *Client) apply(ctx context.Context, change change) (task, error) {
	req := request{
		operation: change.operation, method: change.method, namespace: namespaceNetworking, path: change.path, ifMatch: change.ifMatch,
		object: change.object,
	}
	if change.body != nil {
		body, err := json.Marshal(change.body)
		if err != nil {
			return task{}, &Error{Operation: change.operation, Kind: Invalid, Cause: fmt.Errorf("writing the request: %w", err)}
		}
		req.body = body
	}
	got, err := c.do(ctx, req)
	if err != nil {
		return task{}, err
	}
	var accepted struct {
		Data struct {
			UUID string `json:"extId"`
		} `json:"data"`
	}
	if err := json.Unmarshal(got.body, &accepted); err != nil || accepted.Data.UUID == "" {
		return task{}, unreadable(change.operation, got, fmt.Errorf("it names no task (%w)", errOr(err)))
	}
	started := time.Now()
	defer func() { taskDuration.WithLabelValues(change.operation).Observe(time.Since(started).Seconds()) }()
	return c.await(ctx, change, accepted.Data.UUID)
}

func errOr(err error) error {
	if err == nil {
		return fmt.Errorf("no extId in data")
	}
	return err
}

// await polls a task until it has ended.
func (c *Client) await(ctx context.Context, change change, uuid string) (task, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits().TaskTimeout)
	defer cancel()
	last, kind := "not seen yet", Kind("")
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		if err := sleep(ctx, wait); err != nil {
			return task{}, &Error{
				Operation: change.operation, Kind: cmp.Or(kind, Unavailable), Cause: err,
				Message: fmt.Sprintf("Prism Central accepted it, and task %s has not ended in time (%s)", uuid, last),
			}
		}
		found, err := c.task(ctx, change.operation, uuid)
		switch {
		case Is(err, Unauthorized), Is(err, Forbidden):
			return task{}, &Error{
				Operation: change.operation, Kind: KindOf(err), Cause: err,
				Message: fmt.Sprintf("Prism Central accepted it, and task %s cannot be read", uuid),
			}
		case Is(err, Throttled):
			last, kind = err.Error(), cmp.Or(kind, Throttled) // if it was never asked, it is not to blame
		case err != nil && ctx.Err() != nil:
			last = err.Error() // time was up before it could answer: whoever was to blame still is
		case err != nil:
			// Whatever it was, the task goes on: only the end of time ends the waiting.
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

func (c *Client) task(ctx context.Context, operation, uuid string) (task, error) {
	got, err := c.do(ctx, request{
		operation: operation, label: labelTask, method: http.MethodGet, namespace: namespacePrism,
		path: "/config/tasks/" + url.PathEscape(uuid),
	})
	if err != nil {
		return task{}, err
	}
	var found struct {
		Data task `json:"data"`
	}
	if err := json.Unmarshal(got.body, &found); err != nil {
		return task{}, unreadable(operation, got, err)
	}
	return found.Data, nil
}

// taskError says why a task failed.
func (c *Client) taskError(change change, failed task) *Error {
	said := failed.Errors
	if len(said) == 0 && failed.LegacyError != "" {
		said = messages{{Message: failed.LegacyError}}
	}
	first := said.first()
	secrets := strings.NewReplacer()
	c.mu.Lock()
	if c.connection != nil {
		secrets = c.connection.secrets
	}
	c.mu.Unlock()
	return &Error{
		Operation: change.operation, Kind: taskKind(change, failed, said), Code: first.Code, Group: first.ErrorGroup,
		Message: fmt.Sprintf("task %s %s: %s", failed.UUID, strings.ToLower(failed.Status), tidy(said.text(), secrets)),
	}
}

// taskKind gives the kind of a failed task. Something that is not found is the object itself when it is named, or when it
// was to be deleted; otherwise it is something that the request refers to, and the request is wrong.
func taskKind(change change, failed task, said messages) Kind {
	if failed.Status == taskCanceled {
		return Unavailable
	}
	if kind, ok := said.knownKind(); ok {
		return kind
	}
	text := strings.ToLower(said.text())
	if containsAny(text, goneTexts) {
		named := change.object != "" && strings.Contains(text, strings.ToLower(change.object))
		if named || change.method == http.MethodDelete {
			return NotFound
		}
		return Invalid
	}
	if kind, ok := said.textKind(); ok {
		return kind
	}
	return Unavailable
}

// detail gives a completion detail that is a text.
func (t task) detail(name string) (string, bool) {
	for _, entry := range t.Details {
		var text string
		if entry.Name == name && json.Unmarshal(entry.Value, &text) == nil {
			return text, true
		}
	}
	return "", false
}

// created gives the UUID of the one object of a kind ("floating-ip") that a task was about. Prism Central names kinds as
// "networking:config:floating-ip", in the singular or the plural.
func (t task) created(kind string) (string, bool) {
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
