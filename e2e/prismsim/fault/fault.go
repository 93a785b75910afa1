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
	body, _ := wire.PeekBody(r) // whoever works on the request meets the error again
	return body
}
