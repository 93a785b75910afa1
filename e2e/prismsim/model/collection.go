package model

import (
	"slices"
	"time"
)

// removedAreKept is the time for which a collection keeps removed entities. Lagging lists still show them.
const removedAreKept = time.Hour

// Collection contains the entities of one kind in order of creation. It records when entities were added and removed,
// so that lists can lag behind. The zero value is an empty collection.
type Collection[T any] struct {
	All     []*T           // existing entities
	history []*lifetime[T] // existing and removed entities
}

// lifetime records when an entity was added and removed. For entities of the inventory, the time of addition is the
// zero time.
type lifetime[T any] struct {
	item           *T
	added, removed time.Time
}

// Add adds an entity.
func (c *Collection[T]) Add(item *T) {
	c.All = append(c.All, item)
	c.history = append(c.history, &lifetime[T]{item: item, added: time.Now()})
}

// restart sets the time of addition of an entity to the current time.
func (c *Collection[T]) restart(item *T) {
	if l := c.lifetimeOf(item); l != nil {
		l.added = time.Now()
	}
}

// Predate makes all entities count as older than any list lag, so that lagging lists show them.
func (c *Collection[T]) Predate() {
	for _, l := range c.history {
		l.added = time.Time{}
	}
}

// Remove removes an entity. If the collection does not contain the entity, Remove does nothing.
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

// Listed returns the entities that existed at the current time minus lag.
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
