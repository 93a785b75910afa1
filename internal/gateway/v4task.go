package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
)

// maxTaskBytes limits the response to a read of a task.
const maxTaskBytes = 8 << 20

// v4TaskPath matches the path of a task in any v4 version of the API, and captures its ID.
var v4TaskPath = regexp.MustCompile(`^/api/prism/v4\.[0-9a-z.]+/config/tasks/([^/]+)$`)

// v4Task contains the fields of a v4 task that the gateway reads.
type v4Task struct {
	Status        string            `json:"status"`
	ErrorMessages []json.RawMessage `json:"errorMessages"`
	LegacyError   string            `json:"legacyErrorMessage"`
}

// lacksMessage reports whether the task has failed and has no error message. Provider 2.4 crashes when it reads such a task.
func (t *v4Task) lacksMessage() bool {
	return (t.Status == "FAILED" || t.Status == "CANCELED") && len(t.ErrorMessages) == 0
}

// ensureTaskMessage adds an error message to a failed task that has none. It reads the whole response to the read of a task.
func ensureTaskMessage(resp *http.Response) error {
	if resp.Request.Method != http.MethodGet || resp.StatusCode != http.StatusOK || !v4TaskPath.MatchString(resp.Request.URL.Path) {
		return nil
	}
	body, task, err := readTask(resp)
	if task == nil || err != nil || !task.lacksMessage() {
		return err
	}
	changed, err := withMessage(body, cmp.Or(task.LegacyError, "Prism Central reports no error message for this task"), task.Status)
	if err != nil {
		return err
	}
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
