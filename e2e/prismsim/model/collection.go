package model

import (
	"slices"
	"time"
)

// removedAreKept is how long a collection remembers what was removed. A list cannot lag further behind a removal.
const removedAreKept = time.Hour

// Collection holds the entities of one kind in order of creation. It remembers when they were added and removed, so that a
// list can show what there was some time ago. The zero value is empty.
type Collection[T any] struct {
	All     []*T       // what exists
	history []*life[T] // what exists and what was removed
}

// life is from when until when an entity exists. An entity of the inventory exists from the zero time on.
type life[T any] struct {
	item           *T
	added, removed time.Time
}

func (c *Collection[T]) Add(item *T) {
	c.All = append(c.All, item)
	c.history = append(c.history, &life[T]{item: item, added: time.Now()})
}

// restart makes an entity count as added now.
func (c *Collection[T]) restart(item *T) {
	if l := c.life(item); l != nil {
		l.added = time.Now()
	}
}

// Predate makes all entities count as having always been there.
func (c *Collection[T]) Predate() {
	for _, l := range c.history {
		l.added = time.Time{}
	}
}

// Remove removes an entity. It does nothing when the entity is not there.
func (c *Collection[T]) Remove(item *T) {
	now := time.Now()
	c.All = slices.DeleteFunc(slices.Clone(c.All), func(other *T) bool { return other == item })
	if l := c.life(item); l != nil {
		l.removed = now
	}
	c.history = slices.DeleteFunc(c.history, func(l *life[T]) bool { return !l.removed.IsZero() && now.Sub(l.removed) > removedAreKept })
}

func (c *Collection[T]) life(item *T) *life[T] {
	return Find(c.history, func(l *life[T]) bool { return l.item == item && l.removed.IsZero() })
}

// Listed returns the entities that a list shows which lags behind.
func (c *Collection[T]) Listed(lag time.Duration) []*T {
	if lag <= 0 {
		return c.All
	}
	at := time.Now().Add(-lag)
	var out []*T
	for _, l := range c.history {
		if !l.added.After(at) && (l.removed.IsZero() || l.removed.After(at)) {
			out = append(out, l.item)
		}
	}
	return out
}
