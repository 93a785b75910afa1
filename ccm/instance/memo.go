package instance

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// memo keeps a list for namesLifetime. It is for names, which may be old; never for whether something exists.
type memo[T any] struct {
	clock clock.PassiveClock
	fetch func(context.Context) ([]T, error)

	// stale is how old what fetch gives may be.
	stale func() time.Duration

	mutex   sync.Mutex
	items   []T
	fetched time.Time
	// seen is when UUIDs that the list may lack were first asked about.
	seen map[string]time.Time
}

func newMemo[T any](now clock.PassiveClock, stale func() time.Duration, fetch func(context.Context) ([]T, error)) *memo[T] {
	return &memo[T]{clock: now, stale: stale, fetch: fetch, seen: map[string]time.Time{}}
}

// get gives the list, read anew when it is old, does not do, or may be older than one of the UUIDs. When it cannot be read anew,
// an old one that does is better than none.
func (m *memo[T]) get(ctx context.Context, does func([]T) bool, uuids ...string) ([]T, error) {
	m.mutex.Lock()
	items, read := m.items, !m.fetched.IsZero()
	young := read && m.clock.Since(m.fetched) < namesLifetime && m.covers(uuids)
	m.mutex.Unlock()
	usable := read && does(items)
	if young && usable {
		return items, nil
	}
	latest, err := m.fetch(ctx)
	if err != nil && usable {
		return items, nil
	}
	if err != nil {
		return nil, err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.items, m.fetched = latest, m.clock.Now()
	return latest, nil
}

// covers reports whether the list was read when all of the UUIDs had been known for long enough to be in it, if they ever are.
func (m *memo[T]) covers(uuids []string) bool {
	covers := true
	for _, uuid := range uuids {
		if _, known := m.seen[uuid]; !known {
			m.seen[uuid] = m.clock.Now()
		}
		covers = covers && !m.fetched.Before(m.seen[uuid].Add(m.stale()))
	}
	return covers
}

// memos are memos by a key.
type memos[T any] struct {
	clock clock.PassiveClock
	stale func() time.Duration
	fetch func(ctx context.Context, key string) ([]T, error)

	mutex sync.Mutex
	of    map[string]*memo[T]
}

func (m *memos[T]) get(ctx context.Context, key string, does func([]T) bool, uuids ...string) ([]T, error) {
	m.mutex.Lock()
	one, ok := m.of[key]
	if !ok {
		one = newMemo(m.clock, m.stale, func(ctx context.Context) ([]T, error) { return m.fetch(ctx, key) })
		m.of[key] = one
	}
	m.mutex.Unlock()
	return one.get(ctx, does, uuids...)
}
