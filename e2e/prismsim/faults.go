package prismsim

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault makes matching requests go wrong. The effects that are set happen in this order: Delay, Drop, Status, Hold, then the
// work with TaskError, then DelayReply, then DropReply, Half or Cut.
type Fault struct {
	ID string `json:"id,omitempty"` // chosen by Set when empty

	Method string `json:"method,omitempty"` // HTTP method; empty matches all
	Path   string `json:"path,omitempty"`   // regular expression on the URL path; empty matches all
	// Contains is a text in the request's body, such as the name of a VM that is to be made; empty matches all.
	Contains string `json:"contains,omitempty"`

	Times int           `json:"times,omitempty"` // ends after so many hits; 0: no limit
	For   time.Duration `json:"for,omitempty"`   // ends so long after it was set; 0: no limit
	Skip  int           `json:"skip,omitempty"`  // matching requests to let pass first

	// Delay waits before anything else. When the client goes away meanwhile, nothing is done.
	Delay  time.Duration `json:"delay,omitempty"`
	Drop   bool          `json:"drop,omitempty"`   // close the connection before the work
	Status int           `json:"status,omitempty"` // answer this HTTP status instead of working
	Body   string        `json:"body,omitempty"`   // body for Status; default: as Prism answers that status
	// ContentType is that of Body; default application/json. A proxy's page is text/html.
	ContentType string        `json:"contentType,omitempty"`
	RetryAfter  time.Duration `json:"retryAfter,omitempty"` // Retry-After header for Status (whole seconds)
	// Hold accepts the request and waits before the work. The work is done even when the client has gone away.
	Hold time.Duration `json:"hold,omitempty"`
	// DelayReply waits after the work, before the response. The client may go away meanwhile.
	DelayReply time.Duration `json:"delayReply,omitempty"`
	DropReply  bool          `json:"dropReply,omitempty"` // do the work, then close the connection without an answer
	TaskError  string        `json:"taskError,omitempty"` // accept the change, then let its task fail with this text
	// AfterWork lets a task with TaskError fail after its work was done: a VM is left behind.
	AfterWork bool `json:"afterWork,omitempty"`
	// TaskCode and TaskGroup are the code and errorGroup of the message in a task of the v4 API; the default is what the
	// namespace says of internal errors.
	TaskCode  string `json:"taskCode,omitempty"`
	TaskGroup string `json:"taskGroup,omitempty"`
	// Half answers a list with the first half of the page only, while its metadata count all.
	Half bool `json:"half,omitempty"`
	// Cut sends half of the answer's bytes, then closes the connection.
	Cut bool `json:"cut,omitempty"`

	Hits int `json:"hits,omitempty"` // how often it matched; set by the server
}

// Faults are the faults in force. All methods may be called at any time.
type Faults struct {
	mu     sync.Mutex
	next   int
	active []*activeFault
}

type activeFault struct {
	Fault
	path *regexp.Regexp
	ends time.Time
}

// Set puts a fault in force and gives its ID.
func (f *Faults) Set(fault Fault) (string, error) {
	path, err := regexp.Compile(fault.Path)
	if err != nil {
		return "", fmt.Errorf("setting fault: path is no regular expression: %w", err)
	}
	if fault.Status != 0 && (fault.Status < 300 || fault.Status > 599) {
		return "", fmt.Errorf("setting fault: status %d is not between 300 and 599", fault.Status)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.ID == "" {
		f.next++
		fault.ID = "fault-" + strconv.Itoa(f.next)
	}
	fault.Hits = 0
	a := &activeFault{Fault: fault, path: path}
	if fault.For > 0 {
		a.ends = time.Now().Add(fault.For)
	}
	f.active = append(f.active, a)
	return fault.ID, nil
}

// Clear ends the faults with these IDs; without an ID it ends all.
func (f *Faults) Clear(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ids) == 0 {
		f.active = nil
		return
	}
	var kept []*activeFault
	for _, a := range f.active {
		if !slices.Contains(ids, a.ID) {
			kept = append(kept, a)
		}
	}
	f.active = kept
}

// List gives the faults set and not cleared, with their hits; those that have ended by themselves are still in it.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, 0, len(f.active))
	for _, a := range f.active {
		out = append(out, a.Fault)
	}
	return out
}

// match takes the first fault in force for a request and counts the hit.
func (f *Faults) match(r *http.Request) *Fault {
	body := f.body(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.active {
		over := (a.Times > 0 && a.Hits >= a.Times) || (!a.ends.IsZero() && time.Now().After(a.ends))
		if over || (a.Method != "" && a.Method != r.Method) || !a.path.MatchString(r.URL.Path) || !bytes.Contains(body, []byte(a.Contains)) {
			continue
		}
		if a.Skip > 0 {
			a.Skip--
			continue
		}
		a.Hits++
		hit := a.Fault
		return &hit
	}
	return nil
}

// body gives the body of a request if a fault wants to know it. It is read without the mutex: a client may be slow.
func (f *Faults) body(r *http.Request) []byte {
	f.mu.Lock()
	wanted := slices.ContainsFunc(f.active, func(a *activeFault) bool { return a.Contains != "" })
	f.mu.Unlock()
	if !wanted {
		return nil
	}
	body, _ := peek(r) // whoever works on the request meets the error again
	return body
}

type faultKey struct{}

// faultOf gives the fault that the work on this request shall suffer, or nil.
func faultOf(ctx context.Context) *Fault {
	fault, _ := ctx.Value(faultKey{}).(*Fault)
	return fault
}

// taskFault gives the fault that a task started by this request shall suffer, or nil.
func taskFault(ctx context.Context) *Fault {
	if fault := faultOf(ctx); fault != nil && fault.TaskError != "" {
		return fault
	}
	return nil
}

// inject applies the fault that matches a request.
func (f *Faults) inject(stop <-chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := f.match(r)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		if entry := entryOf(r.Context()); entry != nil {
			entry.Fault = fault.ID
		}
		if !pause(r.Context(), stop, fault.Delay) || fault.Drop {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if fault.Status != 0 {
			fault.answer(w, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, fault))
		if fault.Hold > 0 && !hold(r, stop, fault.Hold) {
			panic(http.ErrAbortHandler)
		}
		fault.work(w, r, stop, next)
	})
}

// hold waits whether or not the client stays. It returns false when the server closes. The request is read first, because its
// body cannot be read any more when the client has gone away.
func hold(r *http.Request, stop <-chan struct{}, d time.Duration) bool {
	_, _ = peek(r) // the work meets an error of reading again
	return pause(context.Background(), stop, d)
}

// work serves a request and lets its response suffer the fault.
func (fault *Fault) work(w http.ResponseWriter, r *http.Request, stop <-chan struct{}, next http.Handler) {
	if fault.DelayReply <= 0 && !fault.DropReply && !fault.Cut {
		next.ServeHTTP(w, r)
		return
	}
	answer := &recordedAnswer{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(answer, r)
	switch {
	case !pause(r.Context(), stop, fault.DelayReply) || fault.DropReply:
		panic(http.ErrAbortHandler)
	case fault.Cut:
		answer.cut(w)
	default:
		answer.replay(w)
	}
}

// pause waits; it is false when the client went away or the server closes.
func pause(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// answer writes the fault's status with the body that Prism Central would send.
func (fault *Fault) answer(w http.ResponseWriter, r *http.Request) {
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((fault.RetryAfter+time.Second-1)/time.Second)))
	}
	if fault.Body != "" {
		contentType := fault.ContentType
		contentType = cmp.Or(contentType, "application/json")
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
		return
	}
	writeRefusal(w, r, refusalWith(fault.Status))
}

// refusalWith returns what Prism Central would send with a status.
func refusalWith(status int) *apiError {
	refused := &apiError{status: status, reason: "INTERNAL_ERROR", message: "Internal Server Error."}
	switch status {
	case http.StatusTooManyRequests:
		refused.reason, refused.message = "RATE_LIMIT_EXCEEDED", "Too many requests: the API rate limit is exceeded, retry later."
	case http.StatusServiceUnavailable:
		refused.reason, refused.message = "SERVICE_UNAVAILABLE", "The service is temporarily unavailable."
	case http.StatusConflict:
		refused.reason, refused.message = reasonConflict, "Edit conflict: please retry change."
	case http.StatusNotFound:
		refused.reason, refused.message = reasonNotFound, "The entity does not exist."
	case http.StatusUnauthorized:
		refused.reason, refused.message = "AUTHENTICATION_REQUIRED", "Authentication required."
		refused.details = basicRealm
	}
	return refused
}
