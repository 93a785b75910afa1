package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDelayDoublesUpToMaximum(t *testing.T) {
	retry := Retry{Base: 100 * time.Millisecond, Max: time.Second}
	for attempt, most := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 50: 1000} {
		most *= time.Millisecond
		for range 50 {
			delay := retry.delay(attempt)
			assert.LessOrEqual(t, delay, most)
			assert.GreaterOrEqual(t, delay, most/2)
		}
	}
}

// TestReadsAreRetriedForOneMinute proves that reads are retried for at least one minute, independent of the random part of each wait. The
// provider crashes if a read fails during an update, so it must not notice that Prism Central is unavailable for one minute.
func TestReadsAreRetriedForOneMinute(t *testing.T) {
	retry := Retry{}.withDefaults(readRetry)
	for range 1000 {
		var waited time.Duration
		for attempt := 1; ; attempt++ {
			wait, again := retry.next(attempt, waited, 0)
			if !again {
				break
			}
			waited += wait
		}
		require.GreaterOrEqual(t, waited, time.Minute)
		require.LessOrEqual(t, waited, retry.Total)
	}
}

func TestNextAttempt(t *testing.T) {
	retry := Retry{Attempts: 3, Total: time.Minute, Base: time.Second, Max: time.Second}
	unlimited := retry
	unlimited.Attempts = 0
	tests := map[string]struct {
		retry               Retry
		attempt             int
		elapsed, retryAfter time.Duration
		again               bool
	}{
		"the first":                   {retry, 1, 0, 0, true},
		"the second last":             {retry, 2, time.Second, 0, true},
		"the last":                    {retry, 3, 2 * time.Second, 0, false},
		"no maximum of attempts":      {unlimited, 1000, 59 * time.Second, 0, true},
		"out of time":                 {unlimited, 2, time.Minute, 0, false},
		"with Retry-After":            {retry, 1, 0, 30 * time.Second, true},
		"with a too long Retry-After": {retry, 1, 40 * time.Second, 30 * time.Second, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wait, again := test.retry.next(test.attempt, test.elapsed, test.retryAfter)
			assert.Equal(t, test.again, again)
			assert.GreaterOrEqual(t, wait, test.retryAfter)
		})
	}
}
