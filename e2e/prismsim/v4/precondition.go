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

// IfMatch compares the If-Match header with the revision of the entity. Without the header the request is refused only when
// the operation requires it. mismatch makes the namespace's own error out of the two ETags.
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

// MismatchText is how the API words a stale If-Match header.
func MismatchText(sent, current string) string {
	return fmt.Sprintf("If-Match header value passed '%s' because it doesn't match the current value in the server '%s'", sent, current)
}

// requestIDHeader carries the idempotence token of a v4 request, a UUID.
const requestIDHeader = "Ntnx-Request-Id"

// onceMemory remembers what changes were answered, by their request ID: a change that is sent again is not done again but
// gets the first answer, with the same task. Method and path belong to the token. Refusals are not remembered, so that a
// client may try again with the same ID.
type onceMemory struct {
	mu      sync.Mutex // held while a change is accepted: two copies of one request never run beside each other
	answers map[string]*wire.Recorder
}

// do answers a request with what it was answered before, or by serving it.
func (o *onceMemory) do(w http.ResponseWriter, r *Request, serve func(http.ResponseWriter)) {
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
	if first, known := o.answers[key]; known && (life <= 0 || time.Since(first.Made) < life) {
		first.Replay(w)
		return
	}
	answer := wire.NewRecorder()
	serve(answer)
	if answer.Status < http.StatusMultipleChoices {
		if o.answers == nil {
			o.answers = map[string]*wire.Recorder{}
		}
		o.answers[key] = answer
	}
	answer.Replay(w)
}
