package v4

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

var etagPattern = regexp.MustCompile(`^\d+,\d+$`)

// IfMatch compares the If-Match header with the revision of the entity. A request without the header is refused only if the
// operation requires it. mismatch returns the namespace's error for the two ETags.
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
	if sent != current.ETag() {
		return mismatch(sent, current.ETag())
	}
	return nil
}

// MismatchText returns the message about a stale If-Match header.
func MismatchText(sent, current string) string {
	return fmt.Sprintf("If-Match header value passed '%s' because it doesn't match the current value in the server '%s'", sent, current)
}

// requestIDHeader has a UUID that identifies a change, so that it can be sent again.
const requestIDHeader = "Ntnx-Request-Id"

// requestMemory keeps the responses to changes by request ID, method and path. A change that is sent again is not made again. It
// gets the first response, with the same task. Refusals are not kept, so that a client may retry with the same ID.
type requestMemory struct {
	mu        sync.Mutex // held while a change is accepted, so that two copies of a request never run concurrently
	responses map[string]*wire.Recorder
}

// handle replays the response to a request that was sent before, or serves the request.
func (o *requestMemory) handle(w http.ResponseWriter, r *Request, serve func(http.ResponseWriter)) {
	if r.Method == http.MethodGet || r.rules.ForgetRequestIDs {
		serve(w)
		return
	}
	id := r.Header.Get(requestIDHeader)
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == "" {
		serve(w)
		return
	}
	key := id + " " + r.Method + " " + r.URL.Path
	life := time.Duration(r.rules.RequestIDLife)
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
