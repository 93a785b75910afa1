package lifecycle

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Pool executes runs, a bounded number at a time and at most one for each target. It says that a run has ended through an
// event channel for each kind, so that a reconcile never waits.
type Pool struct {
	slots chan struct{}
	runs  sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the life of the pool, which runs outlive reconciles by
	running map[string]*entry
	events  map[string]chan event.GenericEvent
}

// entry is one submitted run of a target.
type entry struct {
	kind, key string
	object    client.Object
	run       func(ctx context.Context)
	// withdrawn is closed when the run must not begin any more.
	withdrawn chan struct{}
	// begun says that the run has a slot. The pool's mutex guards it.
	begun bool
}

// NewPool returns a pool that executes at most size runs at a time.
func NewPool(size int) *Pool {
	return &Pool{slots: make(chan struct{}, size), running: map[string]*entry{}, events: map[string]chan event.GenericEvent{}}
}

// Start makes the pool accept runs until the context ends, then waits for the runs under way, which are interrupted. It
// implements manager.Runnable.
func (p *Pool) Start(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.ctx = nil // whoever has submitted by now is waited for, and nobody else submits
	p.mu.Unlock()
	p.runs.Wait()
	return nil
}

// Events returns the channel on which the ends of runs of a kind are announced, with the object that the run was for.
func (p *Pool) Events(kind string) <-chan event.GenericEvent { return p.channel(kind) }

func (p *Pool) channel(kind string) chan event.GenericEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events[kind] == nil {
		p.events[kind] = make(chan event.GenericEvent, cap(p.slots))
	}
	return p.events[kind]
}

// Running reports whether a run of the target is waiting for a slot or under way.
func (p *Pool) Running(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[key] != nil
}

// Withdraw takes the run of the target back if it still waits for a slot. It reports whether the target is idle now: false
// means that a run is under way, whose end the pool announces. A withdrawn run is not announced.
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

// Submit has the run executed, unless one of the same target is under way or the pool has not started or is stopping; it
// reports whether it accepted the run. The context that the run gets ends with the pool.
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

// begin marks a run as begun. It reports false for a run that was withdrawn while it waited.
func (p *Pool) begin(submitted *entry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	submitted.begun = p.running[submitted.key] == submitted
	return submitted.begun
}

// end notes that a run has ended, and reports whether nothing is left to announce: a withdrawn run needs no announcement, and
// others are announced at once unless nobody listens. Whoever sees that the run is not under way any more then finds its end
// announced.
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
