package plan

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStoreKeepsOnePlanPerTarget(t *testing.T) {
	store := NewStore()
	_, found := store.Get("a")
	assert.False(t, found)

	store.Put("a", Stored{File: []byte("first")})
	store.Put("a", Stored{File: []byte("second")})
	store.Put("b", Stored{File: []byte("other")})
	kept, found := store.Get("a")
	assert.True(t, found)
	assert.Equal(t, "second", string(kept.File))

	store.Drop("a")
	store.Drop("a")
	_, found = store.Get("a")
	assert.False(t, found)
	_, found = store.Get("b")
	assert.True(t, found)
}

func TestStoreIsSafeForConcurrentUse(t *testing.T) {
	store := NewStore()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			target := fmt.Sprint(i % 2)
			for range 100 {
				store.Put(target, Stored{File: []byte(target)})
				if kept, found := store.Get(target); found {
					assert.Equal(t, target, string(kept.File))
				}
				store.Drop(target)
			}
		})
	}
	group.Wait()
}
