package prismsim

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// requestIDHeader carries the idempotence token of a v4 request, a UUID.
const requestIDHeader = "Ntnx-Request-Id"

// onceMemory remembers what changes were answered, by their request ID: a change that is sent again is not done again but
// gets the first answer, with the same task. Method and path belong to the token. Refusals are not remembered, so that a
// client may try again with the same ID.
type onceMemory struct {
	mu      sync.Mutex // held while a change is accepted: two copies of one request never run beside each other
	answers map[string]*recordedAnswer
}

// do answers a request with what it was answered before, or by serving it.
func (o *onceMemory) do(w http.ResponseWriter, r *v4Request, serve func(http.ResponseWriter)) {
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
	if first, known := o.answers[key]; known && (life <= 0 || time.Since(first.made) < life) {
		first.replay(w)
		return
	}
	answer := &recordedAnswer{header: http.Header{}, status: http.StatusOK, made: time.Now()}
	serve(answer)
	if answer.status < http.StatusMultipleChoices {
		if o.answers == nil {
			o.answers = map[string]*recordedAnswer{}
		}
		o.answers[key] = answer
	}
	answer.replay(w)
}

// recordedAnswer is an answer that can be given more than once.
type recordedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	made   time.Time
}

func (a *recordedAnswer) Header() http.Header         { return a.header }
func (a *recordedAnswer) WriteHeader(status int)      { a.status = status }
func (a *recordedAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *recordedAnswer) replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	// The client may have gone away; there is nobody left to tell.
	_, _ = w.Write(a.body.Bytes())
}

// cut sends half of the body under the length of the whole, and closes the connection.
func (a *recordedAnswer) cut(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()[:a.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
