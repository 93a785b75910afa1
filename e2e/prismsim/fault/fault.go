// Package fault injects faults into requests: delays, lost connections and responses, error statuses and failed tasks.
package fault

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Fault changes how the server handles matching requests. The effects occur in this order: Delay, Drop, Status, Hold,
// then the server handles the request with TaskError, then DelayReply, then DropReply, ReplyStatus, Half or Cut.
type Fault struct {
	ID string `json:"id,omitempty"` // if empty, Set chooses an ID

	Method string `json:"method,omitempty"` // HTTP method; empty matches all
	Path   string `json:"path,omitempty"`   // regular expression for the URL path; empty matches all
	// Contains is a string in the body of matching requests, such as the name of a VM; empty matches all.
	Contains string `json:"contains,omitempty"`

	Times int           `json:"times,omitempty"` // number of hits after which the fault ends; 0: no limit
	For   time.Duration `json:"for,omitempty"`   // time after which the fault ends; 0: no limit
	Skip  int           `json:"skip,omitempty"`  // number of matching requests that are handled normally before the fault starts

	// Delay is the time that the server waits before it does anything else with the request. If the client disconnects
	// during that time, the request is not handled.
	Delay  time.Duration `json:"delay,omitempty"`
	Drop   bool          `json:"drop,omitempty"`   // close the connection without handling the request
	Status int           `json:"status,omitempty"` // respond with this HTTP status without handling the request
	Body   string        `json:"body,omitempty"`   // body for Status; default: the error that Prism Central sends with that status
	// ContentType is the content type of Body. The default is application/json. Error pages of proxies have the type
	// text/html.
	ContentType string        `json:"contentType,omitempty"`
	RetryAfter  time.Duration `json:"retryAfter,omitempty"` // Retry-After header for Status (whole seconds)
	// Hold is the time that the server waits between reading and handling the request. The request is handled even if
	// the client disconnects. Clearing the fault ends the wait.
	Hold time.Duration `json:"hold,omitempty"`
	// DelayReply is the time that the server waits between handling the request and sending the response.
	DelayReply time.Duration `json:"delayReply,omitempty"`
	DropReply  bool          `json:"dropReply,omitempty"` // handle the request, then close the connection without a response
	// ReplyStatus handles the request, then responds with this HTTP status, as a proxy does whose backend is too slow.
	ReplyStatus int    `json:"replyStatus,omitempty"`
	TaskError   string `json:"taskError,omitempty"` // accept the change, then fail its task with this message
	// TaskSilent accepts the change, then fails its task without a message.
	TaskSilent bool `json:"taskSilent,omitempty"`
	// AfterWork makes a task with TaskError or TaskSilent fail only after the task has made its change. For example, a failed create
	// then leaves a VM behind.
	AfterWork bool `json:"afterWork,omitempty"`
	// TaskCode and TaskGroup are the code and the errorGroup of the message in a v4 task. The defaults are the values
	// of an internal error.
	TaskCode  string `json:"taskCode,omitempty"`
	TaskGroup string `json:"taskGroup,omitempty"`
	// Conflict makes the ETag in If-Match outdated, as if another client had changed the entity before this request.
	Conflict bool `json:"conflict,omitempty"`
	// Half truncates the response to a list request: the response contains only the first half of the page's entities,
	// but its metadata contains the counts for the whole page.
	Half bool `json:"half,omitempty"`
	// Cut sends only the first half of the response body and then closes the connection.
	Cut bool `json:"cut,omitempty"`

	Hits int `json:"hits,omitempty"` // number of matching requests; set by the server

	// cleared is closed when the fault is cleared. It is set only in the faults that the function match returns.
	cleared <-chan struct{}
}

// Faults contains the active faults. The methods of Faults are safe for concurrent use.
type Faults struct {
	mu     sync.Mutex
	next   int
	active []*activeFault
}

type activeFault struct {
	Fault
	path    *regexp.Regexp
	ends    time.Time
	cleared chan struct{}
}

// Set activates a fault and returns the ID of the fault.
func (f *Faults) Set(fault Fault) (string, error) {
	path, err := regexp.Compile(fault.Path)
	if err != nil {
		return "", fmt.Errorf("setting fault: path is not a regular expression: %w", err)
	}
	if fault.Status != 0 && (fault.Status < 200 || fault.Status > 599) {
		return "", fmt.Errorf("setting fault: status %d is not between 200 and 599", fault.Status)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.ID == "" {
		f.next++
		fault.ID = "fault-" + strconv.Itoa(f.next)
	}
	fault.Hits = 0
	a := &activeFault{Fault: fault, path: path, cleared: make(chan struct{})}
	if fault.For > 0 {
		a.ends = time.Now().Add(fault.For)
	}
	f.active = append(f.active, a)
	return fault.ID, nil
}

// Clear removes the faults with the IDs ids, or all faults if ids is empty. Requests that a removed fault has delayed
// with Hold are handled.
func (f *Faults) Clear(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kept []*activeFault
	for _, a := range f.active {
		if len(ids) > 0 && !slices.Contains(ids, a.ID) {
			kept = append(kept, a)
			continue
		}
		close(a.cleared)
	}
	f.active = kept
}

// List returns the faults that were set and not cleared, with their hits. The list includes faults that have expired.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, 0, len(f.active))
	for _, a := range f.active {
		out = append(out, a.Fault)
	}
	return out
}

// match returns the first active fault that matches a request, and counts the hit. It returns nil if no fault matches.
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
		hit.cleared = a.cleared
		return &hit
	}
	return nil
}

// body returns the body of a request if an active fault has the field Contains. It does not hold the mutex while it
// reads the body, because a client may be slow.
func (f *Faults) body(r *http.Request) []byte {
	f.mu.Lock()
	wanted := slices.ContainsFunc(f.active, func(a *activeFault) bool { return a.Contains != "" })
	f.mu.Unlock()
	if !wanted {
		return nil
	}
	body, _ := wire.PeekBody(r) // the handler receives the same error
	return body
}
