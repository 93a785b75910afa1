package process

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever starts several servers at once must not be given a port twice: between the call and the server nobody holds it.
func TestFreePortsGivesNoPortTwice(t *testing.T) {
	const callers, each = 20, 5
	var mu sync.Mutex
	given := map[int]bool{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ports, err := FreePorts("127.0.0.1", each)
			if !assert.NoError(t, err) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, port := range ports {
				given[port] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, given, callers*each)
}

func TestFreePortsSaysWhyThereIsNone(t *testing.T) {
	_, err := FreePorts("192.0.2.1", 1)
	assert.ErrorContains(t, err, "looking for 1 free ports on 192.0.2.1: listen tcp 192.0.2.1:")
}
