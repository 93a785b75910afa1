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
	running map[string]bool
	events  map[string]chan event.GenericEvent
}

// NewPool returns a pool that executes at most size runs at a time.
func NewPool(size int) *Pool {
	return &Pool{slots: make(chan struct{}, size), running: map[string]bool{}, events: map[string]chan event.GenericEvent{}}
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
	return p.running[key]
}

// Submit has the run executed, unless one of the same target is under way or the pool has not started or is stopping; it
// reports whether it accepted the run. The context that the run gets ends with the pool.
func (p *Pool) Submit(kind, key string, object client.Object, run func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil || p.running[key] {
		return false
	}
	p.running[key] = true
	p.runs.Add(1)
	go p.execute(p.ctx, kind, key, object, run)
	return true
}

func (p *Pool) execute(ctx context.Context, kind, key string, object client.Object, run func(ctx context.Context)) {
	defer p.runs.Done()
	select {
	case p.slots <- struct{}{}:
		run(ctx)
		<-p.slots
	case <-ctx.Done():
	}
	if !p.end(kind, key, object) {
		select {
		case p.channel(kind) <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
		}
	}
}

// end notes that a run has ended, and reports whether it could announce that at once, as it can unless nobody listens: who
// sees that the run is not under way any more then finds its end announced.
func (p *Pool) end(kind, key string, object client.Object) (announced bool) {
	channel := p.channel(kind)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, key)
	select {
	case channel <- event.GenericEvent{Object: object}:
		return true
	default:
		return false
	}
}
