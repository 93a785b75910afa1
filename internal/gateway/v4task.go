package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// maxTaskBytes limits the response to a read of a task.
const maxTaskBytes = 8 << 20

// resolveTimeout limits how long the response to a create waits until the VM was read from its task. If it takes longer, the VM is read
// from the next response to a read of the task by the child.
const resolveTimeout = 10 * time.Second

// relVM is the kind of a VM in a v4 task.
const relVM = "vmm:ahv:config:vm"

// v4TaskPath matches the path of a task in any v4 version of the API, and captures its ID.
var v4TaskPath = regexp.MustCompile(`^/api/prism/v4\.[0-9a-z.]+/config/tasks/([^/]+)$`)

// v4Task contains the fields of a v4 task that the gateway reads.
type v4Task struct {
	Status        string            `json:"status"`
	Entities      []v4Entity        `json:"entitiesAffected"`
	ErrorMessages []json.RawMessage `json:"errorMessages"`
	LegacyError   string            `json:"legacyErrorMessage"`
}

type v4Entity struct {
	ID  string `json:"extId"`
	Rel string `json:"rel"`
}

// vm returns the UUID of the only VM that the task affects, or an empty string.
func (t *v4Task) vm() string {
	found := ""
	for _, entity := range t.Entities {
		switch {
		case entity.Rel != relVM || entity.ID == "":
		case found != "" && found != entity.ID:
			return ""
		default:
			found = entity.ID
		}
	}
	return found
}

// createTasks contains the tasks of the v4 creates that Prism Central has accepted in a session.
type createTasks struct {
	mu     sync.Mutex
	byTask map[string]Created
}

func (c *createTasks) add(created Created) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byTask == nil {
		c.byTask = map[string]Created{}
	}
	c.byTask[created.TaskUUID] = created
}

// find returns the create of a task.
func (c *createTasks) find(task string) (Created, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	created, found := c.byTask[task]
	return created, found
}

// hasVM reports whether one of the creates has created a VM.
func (c *createTasks) hasVM(uuid string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, created := range c.byTask {
		if strings.EqualFold(created.UUID, uuid) {
			return true
		}
	}
	return false
}

// resolve reads the task of an accepted create and records the VM. req is the create. The version in its path is also a version of the API
// for tasks. An error does not matter, because the responses to the reads of the task by the child contain the VM, too.
func (t *createTransport) resolve(ctx context.Context, req *http.Request, created Created) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	task := *req.URL
	task.RawQuery = ""
	task.Path = fmt.Sprintf("/api/prism/%s/config/tasks/%s", v4CreatePath.FindStringSubmatch(req.URL.Path)[1], created.TaskUUID)
	body, status, err := read(ctx, t.next, &task)
	var response struct {
		Data v4Task `json:"data"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &response) != nil {
		t.log.Info("The task of a create does not show the VM yet", "object", t.session.options.Object, "task", created.TaskUUID,
			"status", status, "error", fmt.Sprint(err))
		return
	}
	t.recordVM(context.WithoutCancel(ctx), created.TaskUUID, &response.Data)
}

// recordVM records the VM of a create when a read of its task shows the VM for the first time.
func (t *createTransport) recordVM(ctx context.Context, id string, task *v4Task) {
	created, found := t.session.tasks.find(id)
	uuid := task.vm()
	if !found || created.UUID != "" || uuid == "" {
		return
	}
	created.UUID = uuid
	if t.recordAccepted(ctx, created) {
		t.session.tasks.add(created)
	}
}

// observeTask records the VM of a create if resp is the response to a read of its task. It adds an error message to a failed task that has
// none.
func (t *createTransport) observeTask(resp *http.Response) error {
	match := v4TaskPath.FindStringSubmatch(resp.Request.URL.Path)
	if resp.Request.Method != http.MethodGet || resp.StatusCode != http.StatusOK || match == nil {
		return nil
	}
	body, task, err := readTask(resp)
	if err != nil || task == nil {
		return err
	}
	if t.session.options.Creates != nil && t.session.beginCreate() {
		defer t.session.creates.Done()
		t.recordVM(context.WithoutCancel(resp.Request.Context()), match[1], task)
	}
	t.session.noteTask(task)
	return t.session.ensureTaskMessage(resp, body, task)
}

// lacksMessage reports whether the task has failed and has no error message. Provider 2.4 crashes when it reads such a task.
func (t *v4Task) lacksMessage() bool {
	return (t.Status == "FAILED" || t.Status == "CANCELED") && len(t.ErrorMessages) == 0
}

// noTaskMessage is the message of a failed task that has none.
const noTaskMessage = "Prism Central reports no error message for this task"

// ensureTaskMessage adds an error message to a failed task that has none. body is the body of resp.
func (s *Session) ensureTaskMessage(resp *http.Response, body []byte, task *v4Task) error {
	if !task.lacksMessage() {
		return nil
	}
	message := cmp.Or(task.LegacyError, noTaskMessage)
	changed, err := withMessage(body, message, task.Status)
	if err != nil {
		return err
	}
	s.failures.add(Failure{Reason: ReasonTaskWithoutMessage, Message: message})
	setResponse(resp, resp.StatusCode, changed)
	return nil
}

// readTask reads the response to the read of a task and sets its body again. The task is nil if the response cannot be parsed.
func readTask(resp *http.Response) ([]byte, *v4Task, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTaskBytes))
	if err != nil {
		return nil, nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var response struct {
		Data *v4Task `json:"data"`
	}
	if json.Unmarshal(body, &response) != nil {
		return body, nil, nil
	}
	return body, response.Data, nil
}

// withMessage adds an error message to the task in a response.
func withMessage(body []byte, message, status string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // the numbers stay as they are
	var response map[string]any
	if err := decoder.Decode(&response); err != nil {
		return nil, err
	}
	task, _ := response["data"].(map[string]any)
	task["errorMessages"] = []any{map[string]any{
		"$objectType": "prism.v4.error.AppMessage", "message": message, "severity": "ERROR", "code": status, "errorGroup": ReasonTaskWithoutMessage,
	}}
	return json.Marshal(response)
}
