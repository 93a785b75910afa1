package prismv4

import (
	"context"
	"sync"
	"time"
)

// Shared is a value that is fetched once for all concurrent callers and is used for some time.
type Shared[T any] struct {
	mu      sync.Mutex
	value   T
	asked   time.Time // when the fetch of value started
	known   bool
	running *run[T]
}

// run is one fetch of the value.
type run[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// Results of Shared.Get: the value was known, it was fetched, the caller waited for the fetch of another caller, or the fetch failed.
const (
	lookupHit    = "hit"
	lookupMiss   = "miss"
	lookupShared = "shared"
	lookupError  = "error"
)

// Get returns the value if fresh returns true for the value and its age, counted from the start of its fetch. Otherwise one caller fetches
// it and the others wait. If the context of a caller ends, Get returns, and the fetch continues for the others. So fetch must limit its
// time. Errors are not stored. result is "hit", "miss", "shared" or "error".
func (s *Shared[T]) Get(ctx context.Context, fresh func(T, time.Duration) bool, fetch func(context.Context) (T, error)) (value T, result string, err error) {
	s.mu.Lock()
	if s.known && fresh(s.value, time.Since(s.asked)) {
		defer s.mu.Unlock()
		return s.value, lookupHit, nil
	}
	current := s.running
	result = lookupShared
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
		return value, lookupError, ctx.Err()
	}
}

func (s *Shared[T]) run(ctx context.Context, current *run[T], fetch func(context.Context) (T, error)) {
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

// forget removes a value that is at least as old as minAge.
func (s *Shared[T]) forget(minAge time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) >= minAge {
		s.known = false
	}
}

// last returns the last value of any age, or the zero value.
func (s *Shared[T]) last() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}
