package lifecycle

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// Retries of failed runs start at backoffBase and double up to backoffMax, so that a fault of a minute is over within the
// next one.
const (
	backoffBase = 5 * time.Second
	backoffMax  = time.Minute
	// backoffSlow is where the retries of faults begin that people have to put right.
	backoffSlow = 20 * time.Second
)

// outcome is what one run left behind.
type outcome struct {
	// err is why the run failed, nil when it did not.
	err error
	// planned is the plan that a planning run made; nil when there was nothing to do.
	planned *plan.Stored
	// applied is what infrastructure and workspace now agree on; nil when the run did not establish that.
	applied *Applied
	// outputs are the outputs by name, when applied is set.
	outputs map[string]json.RawMessage
	// destroyed says that nothing is left to destroy.
	destroyed bool
	// superseded says why the run has to be repeated at once, for example because the plan turned out to be stale.
	superseded string
	// record is the record of the plan that was applied, or that failed to be applied, as carriedOut says.
	record *plan.Record
	// carriedOut says that the plan was applied, even if reading back afterwards failed.
	carriedOut bool
	// unlocked is the lock of a dead run of ours that this run broke.
	unlocked string
	// discarded says why the state of an earlier apply was given up.
	discarded string
}

// memory is what the pipeline remembers of a target between reconciles. All of it can be found out again by planning once
// more, which is what happens after a restart.
type memory struct {
	applied   *Applied
	outputs   map[string]json.RawMessage
	destroyed bool
	lost      *LostError
	checked   time.Time
	// lastPlan and lastApplied are the last plans that were recorded and applied. They are reported with every step, so that
	// a status that could not be written is written with the next one.
	lastPlan, lastApplied *plan.Record
	// appliedAt is when lastApplied was applied.
	appliedAt time.Time

	// unsettled says that the last run failed or was superseded, which leaves its work to be done.
	unsettled bool
	failures  int
	retryAt   time.Time
	err       error
	// failedFor is the digest of the workspace whose run failed: another one need not wait.
	failedFor string
	// unwritten is a state that an apply could not write to its backend; it is secret. The next run writes it first.
	unwritten  []byte
	unreported []outcome
}

// tracker holds the memories of all targets.
type tracker struct {
	mu      sync.Mutex
	targets map[string]*memory
}

func newTracker() *tracker { return &tracker{targets: map[string]*memory{}} }

// with calls a function with the memory of a target while nobody else has it.
func (t *tracker) with(key string, use func(m *memory)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.targets[key] == nil {
		t.targets[key] = &memory{}
	}
	use(t.targets[key])
}

// forget drops the memory of a target.
func (t *tracker) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.targets, key)
}

// remember folds the outcome of a run into the memory.
func (m *memory) remember(o outcome, digest string, now time.Time) {
	m.unreported = append(m.unreported, o)
	m.checked = now
	m.unsettled = o.err != nil || o.superseded != ""
	if o.planned != nil {
		m.lastPlan = &o.planned.Record
	}
	if o.carriedOut {
		m.lastApplied, m.appliedAt = o.record, now
	}
	if o.err != nil {
		m.err, m.failedFor = o.err, digest
		var failed *terraform.Error
		if errors.As(o.err, &failed) && failed.ErroredState != nil {
			m.unwritten = failed.ErroredState
		}
		m.retryAt = now.Add(backoff(o.err, m.failures))
		m.failures++
		m.lost = lostIn(o.err)
		return
	}
	m.err, m.lost, m.retryAt = nil, nil, time.Time{}
	if o.planned == nil {
		m.failures = 0 // a plan alone is no success: its apply may fail again and again
	}
	m.destroyed = o.destroyed
	if o.applied != nil {
		m.applied, m.outputs = o.applied, o.outputs
	}
}

// backoff is how long to wait after a run failed, failures being how often that had happened before. How long a fault of
// some class lasts decides where the waiting begins.
func backoff(err error, failures int) time.Duration {
	delay := backoffBase << min(failures, 10)
	var failed *terraform.Error
	if errors.As(err, &failed) {
		switch failed.Class.Retry() {
		case terraform.RetryImmediately, terraform.RetryBackoff: // at once is the base: a loop would help nobody
		case terraform.RetrySlowly:
			delay = max(delay, backoffSlow)
		case terraform.RetryOnChange:
			delay = backoffMax // another workspace is not kept waiting
		}
	}
	return min(delay, backoffMax)
}
