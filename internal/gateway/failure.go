package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// maxFailures limits the number of failures that a session keeps.
const maxFailures = 16

// Failure is an error response of the v4 API to a request of the child, or a failed task that the child has read. Provider 2.4 prints at
// most its message, and nothing of the response to the create of a VM.
type Failure struct {
	// Status is the HTTP status, or 0 for a task.
	Status int
	// Reason is the errorGroup, for example "VM_NOT_FOUND".
	Reason, Message string
}

// failures contains the last failures of a session, the oldest first.
type failures struct {
	mu   sync.Mutex
	last []Failure
}

func (f *failures) add(failure Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = append(f.last, failure)
	if len(f.last) > maxFailures {
		f.last = f.last[1:]
	}
}

// Failures returns the last failures of v4 requests of the child, the oldest first.
func (s *Session) Failures() []Failure {
	s.failures.mu.Lock()
	defer s.failures.mu.Unlock()
	return append([]Failure(nil), s.failures.last...)
}

// v4AppMessage is an error message of the v4 API.
type v4AppMessage struct {
	Message string `json:"message"`
	Group   string `json:"errorGroup"`
}

// noteFailure keeps the error in an error response of the v4 API, whose body ensureV4Error has checked.
func (s *Session) noteFailure(resp *http.Response) {
	if apiOf(resp.Request) != apiV4 || resp.StatusCode < http.StatusBadRequest {
		return
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return // ensureV4Error has read the body before
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	failure := Failure{Status: resp.StatusCode}
	if found := firstMessage(body); found != nil {
		failure.Reason, failure.Message = found.Group, found.Message
	}
	s.failures.add(failure)
}

// firstMessage returns the first error message in an error response, or nil. Most namespaces send the error in the field data.
func firstMessage(body []byte) *v4AppMessage {
	type errorResponse struct {
		Error json.RawMessage `json:"error"`
	}
	var response struct {
		errorResponse
		Data errorResponse `json:"data"`
	}
	if json.Unmarshal(body, &response) != nil {
		return nil
	}
	raw := response.Data.Error
	if raw == nil {
		raw = response.Error
	}
	var list []v4AppMessage
	var schema struct {
		Messages []v4AppMessage `json:"validationErrorMessages"`
	}
	if json.Unmarshal(raw, &list) != nil {
		_ = json.Unmarshal(raw, &schema) // a SchemaValidationError is an object
		list = schema.Messages
	}
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// noteTask keeps the error of a failed task.
func (s *Session) noteTask(task *v4Task) {
	if task.Status != "FAILED" && task.Status != "CANCELED" || len(task.ErrorMessages) == 0 {
		return
	}
	var found v4AppMessage
	_ = json.Unmarshal(task.ErrorMessages[0], &found)
	s.failures.add(Failure{Reason: found.Group, Message: found.Message})
}
