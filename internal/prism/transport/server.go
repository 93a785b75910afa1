package transport

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// minPatience is how long a server may send no response until it counts as not responding. If the last response took long, the time is
	// twice as long as this response, up to maxPatience, so that a slow server can be used.
	minPatience = 4 * time.Second
	maxPatience = 15 * time.Second
	// probeTimeout limits the wait for the response to a probe.
	probeTimeout = 30 * time.Second
)

// NotRespondingError means that a server has not responded to any request for some seconds, and that a call has failed early for this
// reason. Calls are sent again when the server has responded to a probe.
type NotRespondingError struct {
	Address string
}

func (e *NotRespondingError) Error() string {
	return fmt.Sprintf("waiting for Prism Central %s: it does not respond to any request", e.Address)
}

// server decides which calls may wait for the Prism Central with one address. A call consists of one or several requests.
//
// If calls wait and the server has not responded to any request of any transport for some seconds, the server counts as not responding.
// Then all calls fail, except the one that has waited longest, which may still be responded to. Further calls fail at once and
// are not sent, until the server has responded to a request. A probe is sent when half of the time has passed. So one slow call does not
// make a server count as not responding. While the server does not respond, the next call after each failed probe starts another one.
type server struct {
	address string

	mu sync.Mutex
	// calls are the calls that wait for the server, in the order in which they began.
	calls []*call
	// since is the time of the last response. If calls have waited only since a later time, it is that time.
	since    time.Time
	patience time.Duration
	// timer calls check. It is nil if no call has begun yet.
	timer                  *time.Timer
	notResponding, probing bool
}

// call is a call that waits for the server. fail ends it. probe sends a request that the server can respond to quickly.
type call struct {
	fail  context.CancelCauseFunc
	probe func(context.Context) error
}

type withoutFailFast struct{}

// WithoutFailFast returns a context for calls that do not fail early if the server does not respond.
func WithoutFailFast(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutFailFast{}, true)
}

// Begin begins a call and returns a context for it. It returns a *NotRespondingError if the server does not respond. If the server stops
// responding later, the context is canceled with this error as its cause. The caller calls end when the call has ended. probe sends a
// request that the server can respond to quickly. It is called in the background.
func (t *Transport) Begin(ctx context.Context, probe func(context.Context) error) (_ context.Context, end func(), err error) {
	if ctx.Value(withoutFailFast{}) != nil {
		return ctx, func() {}, nil
	}
	return t.server.begin(ctx, probe)
}

func (s *server) begin(ctx context.Context, probe func(context.Context) error) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notResponding {
		s.startProbe(probe)
		return nil, nil, &NotRespondingError{Address: s.address}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	mine := &call{fail: cancel, probe: probe}
	s.calls = append(s.calls, mine)
	if len(s.calls) == 1 {
		s.since = time.Now()
		s.setTimer()
	}
	return ctx, func() { s.end(mine) }, nil
}

func (s *server) end(ended *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended.fail(nil)
	s.calls = slices.DeleteFunc(s.calls, func(c *call) bool { return c == ended })
	if len(s.calls) == 0 {
		s.timer.Stop()
	}
}

// responded records that the server has responded to a request after the duration latency.
func (s *server) responded(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notResponding, s.since = false, time.Now()
	s.patience = min(max(2*latency, minPatience), maxPatience)
	if len(s.calls) > 0 {
		s.setTimer()
	}
}

// setTimer sets the timer to the next time at which check has something to do.
func (s *server) setTimer() {
	next := s.since.Add(s.patience / 2)
	if !time.Now().Before(next) {
		next = s.since.Add(s.patience)
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(time.Until(next), s.check)
}

// check starts a probe or fails the waiting calls, if the server has not responded for long enough.
func (s *server) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	waited := time.Since(s.since)
	if len(s.calls) == 0 || s.notResponding {
		return
	}
	if waited >= s.patience/2 {
		s.startProbe(s.calls[0].probe)
	}
	if waited < s.patience {
		s.setTimer()
		return
	}
	s.notResponding = true
	for _, other := range s.calls[1:] {
		other.fail(&NotRespondingError{Address: s.address})
	}
}

// startProbe sends a probe in the background unless one is under way.
func (s *server) startProbe(probe func(context.Context) error) {
	if s.probing {
		return
	}
	s.probing = true
	go func() {
		ctx, cancel := context.WithTimeout(WithoutRateLimit(WithoutFailFast(context.Background())), probeTimeout)
		defer cancel()
		began := time.Now()
		err := probe(ctx)
		if !IsTimeout(err) {
			s.responded(time.Since(began)) // without a response, a further call shows the error
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.probing = false
	}()
}
