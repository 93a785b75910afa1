package provisioning

import (
	"math/rand/v2"
	"sync"
	"time"
)

// maxLookUpDelay is the maximum delay between two attempts to resolve the names in a spec. An object whose names cannot be resolved then
// sends fewer requests than an object that is in sync.
const maxLookUpDelay = 5 * time.Minute

// LookUps remembers the objects whose look-ups in Prism Central failed, and delays their next attempts. Its zero value is ready for use.
type LookUps struct {
	mu     sync.Mutex
	failed map[string]failedLookUp
}

// failedLookUp is the last attempt of an object.
type failedLookUp struct {
	// names identifies the versions of the objects that contain the names.
	names    string
	problem  *Problem
	failures int
	retryAt  time.Time
}

// Failed returns the problem of the last attempt of an object and the delay before the next attempt. It returns nil if the next attempt is
// due or if names has changed.
func (l *LookUps) Failed(key, names string, now time.Time) (*Problem, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, found := l.failed[key]
	if !found || last.names != names || !now.Before(last.retryAt) {
		return nil, 0
	}
	return last.problem, last.retryAt.Sub(now)
}

// Fail records a failed attempt of an object and returns the delay before the next one. The delay doubles with every further attempt. Half
// of it is random. Problems that are not the result of look-ups have a fixed delay.
func (l *LookUps) Fail(key, names string, problem *Problem, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.failed[key]
	if !problem.LookUp {
		delete(l.failed, key)
		return problem.After()
	}
	if last.names != names {
		last.failures = 0
	}
	delay := min(problem.After()<<min(last.failures, 10), maxLookUpDelay)
	delay = delay/2 + rand.N(delay/2) //nolint:gosec // jitter is not a secret
	if l.failed == nil {
		l.failed = map[string]failedLookUp{}
	}
	l.failed[key] = failedLookUp{names: names, problem: problem, failures: last.failures + 1, retryAt: now.Add(delay)}
	return delay
}

// Forget removes what is remembered of an object.
func (l *LookUps) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failed, key)
}
