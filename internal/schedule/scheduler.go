// Package schedule decides when runs start and when periodic checks are due.
package schedule

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Options limits the runs of a Scheduler.
type Options struct {
	// Slots is the maximum number of runs at a time that compute. Runs with Run.Waits are not counted.
	Slots int
	// Memory is the memory for all runs in MiB. A run that needs more never starts. Zero means no limit.
	Memory int
	// Timeout limits the duration of a run. Its context then ends with context.DeadlineExceeded. Zero means no limit.
	Timeout time.Duration
}

// Run is a run that a Scheduler executes.
type Run struct {
	// Key identifies the target. At most one run of a target is queued or active.
	Key string
	// Kind selects the channel that receives an event with Object when the run ends.
	Kind   string
	Object client.Object
	// Lane is the priority of the run.
	Lane Lane
	// Tenant identifies the Prism Central and the credentials that the run uses. Tenants share slots and memory fairly.
	Tenant string
	// Waits means that the run waits for Prism Central most of the time, as an apply does. Such a run needs memory but no slot.
	Waits bool
	// Memory is the memory that the run needs in MiB. Zero means RunMemory.
	Memory int
	// Do is the work. It has to end soon after its context has ended.
	Do func(ctx context.Context)
}

// Scheduler executes runs. It starts them in the order of their lanes, limits their number and their duration, and shares the capacity
// between tenants. Reconciles do not wait for runs. When a run ends, the scheduler sends an event to the channel of its kind.
type Scheduler struct {
	options Options
	runs    sync.WaitGroup
	waits   *prometheus.HistogramVec

	mu     sync.Mutex
	ctx    context.Context //nolint:containedctx // the context of Start; runs outlive the reconciles that submit them
	byKey  map[string]*entry
	queue  []*entry // in the order in which they were submitted
	active []*entry
	starts int
	events map[string]chan event.GenericEvent
}

// entry is a queued or active run.
type entry struct {
	Run
	submitted time.Time
	// started is the time at which the run became active. It is zero if the run is queued.
	started time.Time
}

func (e *entry) memory() int { return cmp.Or(e.Memory, RunMemory) }

// New returns a scheduler.
func New(options Options) *Scheduler {
	return &Scheduler{options: options, waits: newWaitMetric(), byKey: map[string]*entry{}, events: map[string]chan event.GenericEvent{}}
}

// Start lets the scheduler accept runs until ctx ends. Then it removes all queued runs, interrupts the active runs and waits until they
// have ended. It implements manager.Runnable.
func (s *Scheduler) Start(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.ctx = nil
	for _, queued := range s.queue {
		delete(s.byKey, queued.Key)
	}
	s.queue = nil
	s.mu.Unlock()
	s.runs.Wait()
	return nil
}

// Events returns the channel that receives an event whenever a run of the kind ends. The event contains the object.
func (s *Scheduler) Events(kind string) <-chan event.GenericEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channel(kind)
}

func (s *Scheduler) channel(kind string) chan event.GenericEvent {
	if s.events[kind] == nil {
		s.events[kind] = make(chan event.GenericEvent, s.options.Slots)
	}
	return s.events[kind]
}

// Running reports whether a run of the target is queued or active.
func (s *Scheduler) Running(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[key] != nil
}

// Announce sends an event for the target of an active run, before the run ends. The run itself calls it with its context.
func (s *Scheduler) Announce(ctx context.Context, key string) {
	s.mu.Lock()
	run := s.byKey[key]
	channel := s.channel(run.Kind)
	s.mu.Unlock()
	select {
	case channel <- event.GenericEvent{Object: run.Object}:
	case <-ctx.Done():
	}
}

// StartWaiting makes the active run of the target one that waits (see Run.Waits), so that its slot is free. It returns false and changes
// nothing if there is not enough memory for a run that waits. The target must have an active run.
func (s *Scheduler) StartWaiting(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.byKey[key]
	byTenant, total := s.usage()
	own := byTenant[run.Tenant]
	own.memory, total.memory = own.memory-run.memory(), total.memory-run.memory()
	waiting := *run
	waiting.Waits = true
	if !s.mayStart(&waiting, own, total, run.memory()) {
		return false
	}
	run.Waits = true
	s.dispatch()
	return true
}

// Withdraw removes a queued run of the target from the queue. It returns true if the target has no run now. It returns false if a run has
// already started. The scheduler sends an event when a started run ends, but none for a withdrawn run.
func (s *Scheduler) Withdraw(key string) (idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.byKey[key]
	if run == nil {
		return true
	}
	if !run.started.IsZero() {
		return false
	}
	delete(s.byKey, key)
	s.queue = without(s.queue, run)
	return true
}

// Submit queues a run and reports whether the scheduler accepted it. The scheduler rejects a run if another run of the same target is
// queued or active, and if the scheduler has not started or is stopping. The context of the run ends when the scheduler stops.
func (s *Scheduler) Submit(run Run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil || s.byKey[run.Key] != nil {
		return false
	}
	submitted := &entry{Run: run, submitted: time.Now()}
	s.byKey[run.Key] = submitted
	s.queue = append(s.queue, submitted)
	s.dispatch()
	return true
}

// dispatch starts all queued runs that may start now. The caller holds the mutex.
func (s *Scheduler) dispatch() {
	for s.ctx != nil && s.ctx.Err() == nil {
		run := s.next()
		if run == nil {
			return
		}
		s.queue = without(s.queue, run)
		s.active = append(s.active, run)
		s.starts++
		run.started = time.Now()
		s.waits.WithLabelValues(run.Lane.String()).Observe(run.started.Sub(run.submitted).Seconds())
		s.runs.Add(1)
		go s.execute(s.ctx, run)
	}
}

func (s *Scheduler) execute(ctx context.Context, run *entry) {
	defer s.runs.Done()
	limited, cancel := s.withTimeout(ctx)
	// After slotTime the run does not count for other tenants any more, so a run of another tenant may start.
	recent := time.AfterFunc(slotTime, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dispatch()
	})
	run.Do(limited)
	recent.Stop()
	cancel()
	if channel, announced := s.end(run); !announced {
		select {
		case channel <- event.GenericEvent{Object: run.Object}:
		case <-ctx.Done():
		}
	}
}

func (s *Scheduler) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.options.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	cause := fmt.Errorf("the run has taken longer than %s: %w", s.options.Timeout, context.DeadlineExceeded)
	return context.WithTimeoutCause(ctx, s.options.Timeout, cause)
}

// end removes a run that has ended, sends its event and starts the next runs. If no receiver is ready and the buffer of the channel is
// full, it returns the channel and false. If a receiver is ready, the event is sent before the next run of the target can be submitted.
func (s *Scheduler) end(ended *entry) (channel chan event.GenericEvent, announced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, ended.Key)
	s.active = without(s.active, ended)
	s.dispatch()
	channel = s.channel(ended.Kind)
	select {
	case channel <- event.GenericEvent{Object: ended.Object}:
		return channel, true
	default:
		return channel, false
	}
}

// without returns list without run.
func without(list []*entry, run *entry) []*entry {
	i := slices.Index(list, run)
	return slices.Delete(list, i, i+1)
}
