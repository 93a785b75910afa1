package prismv4_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4"
)

const tasksPath = "GET prism/config/tasks/" + taskUUID

// A change returns when its task has ended, or when the time has passed.
func TestTasks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		states   []string
		kind     prismv4.Kind
		contains string
		endless  bool // only the end of time ends the waiting
	}{
		"at once":                 {[]string{taskState("SUCCEEDED", "")}, "", "", false},
		"after a while":           {[]string{taskState("QUEUED", ""), taskState("RUNNING", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"suspended on the way":    {[]string{taskState("SUSPENDED", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"a state that is new":     {[]string{taskState("PONDERING", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"details of a new form":   {[]string{taskState("SUCCEEDED", `,"completionDetails":[{"name":"x","value":{"a":[1]}}],"subSteps":7`)}, "", "", false},
		"failed":                  {[]string{taskState("FAILED", failed("NETWORKING-10068", "is still in use"))}, prismv4.Conflict, "is still in use", false},
		"failed, of old services": {[]string{taskState("FAILED", `,"legacyErrorMessage":"The quota is exceeded"`)}, prismv4.Exhausted, "quota", false},
		"failed without a word":   {[]string{taskState("FAILED", "")}, prismv4.Unavailable, taskUUID, false},
		"canceled":                {[]string{taskState("CANCELED", "")}, prismv4.Unavailable, taskUUID, false},
		"never ends":              {[]string{taskState("RUNNING", "")}, prismv4.Unavailable, taskUUID, true},
		"says nothing":            {[]string{`null`}, prismv4.Unavailable, taskUUID, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(deletedPath, accepted())
			c.Task(test.states...)
			client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) {
				if test.endless {
					l.TaskTimeout = 700 * time.Millisecond
				}
			})
			err := client.Delete(t.Context())
			require.Equal(t, test.kind, prismv4.KindOf(err), "%v", err)
			if test.kind != "" {
				require.ErrorContains(t, err, test.contains)
				require.ErrorContains(t, err, taskUUID)
				require.ErrorContains(t, err, "Delete")
			}
		})
	}
}

// Transient failures do not end the wait for a task.
func TestFailuresDuringWaitForTask(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(deletedPath, accepted())
	done := answer(200, `{"data":`+taskState("SUCCEEDED", "")+`}`)
	c.On(tasksPath, lost, page(404), answer(404, refusal("prism", "TASK-1", "TASK_NOT_FOUND", "not yet")), answer(200, `{"da`), done)
	require.NoError(t, c.client(t, nil).Delete(t.Context()))

	c.On(tasksPath, answer(403, `{}`))
	err := c.client(t, nil).Delete(t.Context())
	assert.Equal(t, prismv4.Forbidden, prismv4.KindOf(err))
	require.ErrorContains(t, err, taskUUID)

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	running := answer(200, `{"data":`+taskState("RUNNING", "")+`}`)
	c.On(tasksPath, running, func(w http.ResponseWriter, r *http.Request) { leave(); running(w, r) })
	err = c.client(t, nil).Delete(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, taskUUID)
}

// If the task was never read, the rate limit of this process is the cause.
func TestTaskThatWasNotReadIsThrottled(t *testing.T) {
	t.Parallel()
	for burst, want := range map[int]prismv4.Kind{2: prismv4.Throttled, 4: prismv4.Unavailable} { // versions are asked for too
		c := newCentral(t)
		c.On(deletedPath, accepted())
		c.Task(taskState("RUNNING", ""))
		client := c.client(t, func(_ *prismv4.Endpoint, l *prismv4.Limits) {
			l.RequestsPerSecond, l.Burst, l.TaskTimeout = 0.01, burst, 3*time.Second
		})
		err := client.Delete(t.Context())
		assert.Equal(t, want, prismv4.KindOf(err), "%v", err)
		require.ErrorContains(t, err, taskUUID)
	}
}

func TestResponseWithoutTaskIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `{}`, `{"data":null}`, `{"data":[]}`, `{"data":{}}`, `<html>`} {
		c := newCentral(t)
		c.On(deletedPath, answer(http.StatusAccepted, body))
		err := c.client(t, nil).Delete(t.Context())
		require.Error(t, err, body)
		assert.Equal(t, prismv4.Unavailable, prismv4.KindOf(err), body)
	}
}
