package model

import (
	"slices"
	"time"
)

// removedAreKept is how long a collection keeps removed entities for lists that lag.
const removedAreKept = time.Hour

// Collection has the entities of one kind in order of creation. It records when they were added and removed, so that a list can
// lag behind. The zero value is empty.
type Collection[T any] struct {
	All     []*T           // what exists
	history []*lifetime[T] // what exists and what was removed
}

// lifetime is the time during which an entity exists. An entity of the inventory was added at the zero time.
type lifetime[T any] struct {
	item           *T
	added, removed time.Time
}

// Add adds an entity.
func (c *Collection[T]) Add(item *T) {
	c.All = append(c.All, item)
	c.history = append(c.history, &lifetime[T]{item: item, added: time.Now()})
}

// restart makes an entity count as added now.
func (c *Collection[T]) restart(item *T) {
	if l := c.lifetimeOf(item); l != nil {
		l.added = time.Now()
	}
}

// Predate makes all entities count as older than any lag.
func (c *Collection[T]) Predate() {
	for _, l := range c.history {
		l.added = time.Time{}
	}
}

// Remove removes an entity. It does nothing when the entity is not there.
func (c *Collection[T]) Remove(item *T) {
	now := time.Now()
	c.All = slices.DeleteFunc(slices.Clone(c.All), func(other *T) bool { return other == item })
	if l := c.lifetimeOf(item); l != nil {
		l.removed = now
	}
	c.history = slices.DeleteFunc(c.history, func(l *lifetime[T]) bool { return !l.removed.IsZero() && now.Sub(l.removed) > removedAreKept })
}

func (c *Collection[T]) lifetimeOf(item *T) *lifetime[T] {
	return Find(c.history, func(l *lifetime[T]) bool { return l.item == item && l.removed.IsZero() })
}

// Listed returns the entities that existed some time ago.
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
