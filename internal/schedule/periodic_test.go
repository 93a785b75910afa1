package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestChecksAreSpreadOverTheInterval proves that the checks of objects that were applied at the same time are soon spread over the
// interval, and that each object keeps its position.
func TestChecksAreSpreadOverTheInterval(t *testing.T) {
	applied := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	interval := 10 * time.Minute
	perTenth := map[time.Duration]int{}
	for i := range 1000 {
		key := fmt.Sprintf("NutanixMachine/default/md-0-%d/uid-%d", i, i)
		last := applied
		for range 5 {
			next := NextSpaced(key, last, interval)
			require.GreaterOrEqual(t, next.Sub(last), interval/2)
			require.LessOrEqual(t, next.Sub(last), interval)
			last = next
		}
		assert.Equal(t, last.Add(interval), NextSpaced(key, last, interval))
		late := last.Add(time.Minute)
		assert.Equal(t, last.Add(interval), NextSpaced(key, late, interval), "a check that had to wait does not move the next one")
		perTenth[last.Sub(applied)%interval/(interval/10)]++
	}
	require.Len(t, perTenth, 10)
	for tenth, count := range perTenth {
		assert.InDelta(t, 100, count, 40, "tenth %d", tenth)
	}
}

func TestObjectThatWasNeverCheckedIsDue(t *testing.T) {
	assert.True(t, NextSpaced("key", time.Time{}, time.Hour).Before(time.Now()))
}
