package nutanix

import (
	"context"
	"sync"
	"time"
)

// shared is a value that many callers use for a while and that one of them gets for all.
type shared[T any] struct {
	mu      sync.Mutex
	value   T
	asked   time.Time
	known   bool
	running *run[T]
}

// run is one attempt to get the value.
type run[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// How a look-up was answered.
const (
	lookupHit    = "hit"
	lookupMiss   = "miss"
	lookupShared = "shared"
	lookupError  = "error"
)

// get gives the value while fresh says so of its age, counted from when it was asked for. Otherwise one caller fetches it
// and the others wait. A caller whose context ends goes away; the fetch goes on for the others, so it must end by itself.
// An error is given to those who waited and is not kept.
func (s *shared[T]) get(ctx context.Context, fresh func(T, time.Duration) bool, fetch func(context.Context) (T, error)) (T, string, error) {
	s.mu.Lock()
	if s.known && fresh(s.value, time.Since(s.asked)) {
		defer s.mu.Unlock()
		return s.value, lookupHit, nil
	}
	current, result := s.running, lookupShared
	if current == nil {
		current, result = &run[T]{done: make(chan struct{})}, lookupMiss
		s.running = current
		go s.run(context.WithoutCancel(ctx), current, fetch)
	}
	s.mu.Unlock()

	select {
	case <-current.done:
		if current.err != nil {
			result = lookupError
		}
		return current.value, result, current.err
	case <-ctx.Done():
		var none T
		return none, lookupError, ctx.Err()
	}
}

func (s *shared[T]) run(ctx context.Context, current *run[T], fetch func(context.Context) (T, error)) {
	asked := time.Now()
	current.value, current.err = fetch(ctx)
	s.mu.Lock()
	if current.err == nil {
		s.value, s.asked, s.known = current.value, asked, true
	}
	s.running = nil
	s.mu.Unlock()
	close(current.done)
}

// forget drops a value that is at least as old as minAge.
func (s *shared[T]) forget(minAge time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) >= minAge {
		s.known = false
	}
}

// last gives the value that was got last, however old, and the zero value before there was one.
func (s *shared[T]) last() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}
