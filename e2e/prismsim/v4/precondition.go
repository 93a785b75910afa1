package v4

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

var etagPattern = regexp.MustCompile(`^\d+,\d+$`)

// IfMatch compares the If-Match header with the current revision of an entity. A request without the header is an error
// only if required is true. mismatch returns the error of the namespace for two different ETags.
func (r *Request) IfMatch(current model.Revision, required bool, mismatch func(sent, current string) *Error) error {
	sent := r.Header.Get("If-Match")
	if sent == "" {
		if !required {
			return nil
		}
		return &Error{
			Status: http.StatusPreconditionRequired, Code: "PLAT-10004", Group: "MISSING_ETAG_HEADER",
			Message: "If-Match header is required but was not passed.",
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(sent); err != nil || !etagPattern.Match(raw) {
		return &Error{Status: http.StatusPreconditionFailed, Code: "PLAT-10005", Group: "INVALID_ETAG_HEADER", Message: "Invalid eTag header"}
	}
	if fault := fault.Of(r.Context()); fault != nil && fault.Conflict {
		current++
	}
	if sent != current.ETag() {
		return mismatch(sent, current.ETag())
	}
	return nil
}

// MismatchText returns the error message for an outdated If-Match header.
func MismatchText(sent, current string) string {
	return fmt.Sprintf("If-Match header value passed '%s' because it doesn't match the current value in the server '%s'", sent, current)
}

// RequestIDHeader contains a UUID that identifies a change, so that a client can safely send the change again.
const RequestIDHeader = "Ntnx-Request-Id"

// requestMemory stores the responses to changes by request ID, method and path. If a client sends a change again, the
// server does not make the change again. The client receives the first response, with the same task. Error responses
// are not stored, so that a client may retry with the same ID.
type requestMemory struct {
	mu        sync.Mutex // held while the server accepts a change, so that two copies of a request are never handled concurrently
	responses map[string]*wire.Recorder
}

// handle sends the stored response if the request was handled before. Otherwise it calls serve and stores the response.
func (o *requestMemory) handle(w http.ResponseWriter, r *Request, serve func(http.ResponseWriter)) {
	if r.Method == http.MethodGet || r.Rules.ForgetRequestIDs {
		serve(w)
		return
	}
	id := r.Header.Get(RequestIDHeader)
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == "" {
		serve(w)
		return
	}
	key := id + " " + r.Method + " " + r.URL.Path
	life := time.Duration(r.Rules.RequestIDLife)
	if first, known := o.responses[key]; known && (life <= 0 || time.Since(first.Made) < life) {
		first.Replay(w)
		return
	}
	response := wire.NewRecorder()
	serve(response)
	if response.Status < http.StatusMultipleChoices {
		if o.responses == nil {
			o.responses = map[string]*wire.Recorder{}
		}
		o.responses[key] = response
	}
	response.Replay(w)
}
