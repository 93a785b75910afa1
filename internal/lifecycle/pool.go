package lifecycle

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Pool executes a limited number of runs at a time, at most one for each target. Reconciles do not wait for runs. When a run ends, the
// pool sends an event to the channel of the target's kind.
type Pool struct {
	slots chan struct{}
	runs  sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the context of Start; runs outlive the reconciles that submit them
	running map[string]*entry
	events  map[string]chan event.GenericEvent
}

// entry is one submitted run.
type entry struct {
	kind, key string
	object    client.Object
	run       func(ctx context.Context)
	// withdrawn is closed when the run has been withdrawn and must not start.
	withdrawn chan struct{}
	// begun is true if the run has started. The pool's mutex guards it.
	begun bool
}

// NewPool returns a pool that executes at most size runs at a time.
func NewPool(size int) *Pool {
	return &Pool{slots: make(chan struct{}, size), running: map[string]*entry{}, events: map[string]chan event.GenericEvent{}}
}

// Start lets the pool accept runs until ctx ends. Then it interrupts the current runs and waits until they have ended. It implements
// manager.Runnable.
func (p *Pool) Start(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.ctx = nil // no more runs are accepted; Start waits for those that are already submitted
	p.mu.Unlock()
	p.runs.Wait()
	return nil
}

// Events returns the channel that receives an event whenever a run of the kind ends. The event contains the object.
func (p *Pool) Events(kind string) <-chan event.GenericEvent { return p.channel(kind) }

func (p *Pool) channel(kind string) chan event.GenericEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events[kind] == nil {
		p.events[kind] = make(chan event.GenericEvent, cap(p.slots))
	}
	return p.events[kind]
}

// Running reports whether a run of the target is queued or under way.
func (p *Pool) Running(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[key] != nil
}

// Withdraw removes a queued run of the target from the queue. It returns true if the target has no run now. It returns false if a run has
// already started. The pool sends an event when a started run ends, but none for a withdrawn run.
func (p *Pool) Withdraw(key string) (idle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	run := p.running[key]
	if run == nil {
		return true
	}
	if run.begun {
		return false
	}
	close(run.withdrawn)
	delete(p.running, key)
	return true
}

// Submit queues a run and reports whether the pool accepted it. The pool rejects a run if another run of the same target is queued or
// running, and if the pool has not started or is stopping. The context of the run ends when the pool stops.
func (p *Pool) Submit(kind, key string, object client.Object, run func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil || p.running[key] != nil {
		return false
	}
	submitted := &entry{kind: kind, key: key, object: object, run: run, withdrawn: make(chan struct{})}
	p.running[key] = submitted
	p.runs.Add(1)
	go p.execute(p.ctx, submitted)
	return true
}

func (p *Pool) execute(ctx context.Context, submitted *entry) {
	defer p.runs.Done()
	select {
	case p.slots <- struct{}{}:
		if p.begin(submitted) {
			submitted.run(ctx)
		}
		<-p.slots
	case <-submitted.withdrawn:
	case <-ctx.Done():
	}
	if !p.end(submitted) {
		select {
		case p.channel(submitted.kind) <- event.GenericEvent{Object: submitted.object}:
		case <-ctx.Done():
		}
	}
}

// begin marks a run as started. It returns false for a run that was withdrawn while it was queued.
func (p *Pool) begin(submitted *entry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	submitted.begun = p.running[submitted.key] == submitted
	return submitted.begun
}

// end marks a run as ended and sends its event. It returns true if the event was sent or is not needed because the run was withdrawn. If
// a receiver is ready, the event is sent before the run is marked as ended.
func (p *Pool) end(ended *entry) (announced bool) {
	channel := p.channel(ended.kind)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[ended.key] != ended {
		return true
	}
	delete(p.running, ended.key)
	select {
	case channel <- event.GenericEvent{Object: ended.object}:
		return true
	default:
		return false
	}
}
