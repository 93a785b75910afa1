package lifecycle

import (
	"encoding/json"
	"sync"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// memory contains what this process knows about a target in addition to the object's status. It is lost when the process ends. The next
// process plans again.
type memory struct {
	// applied and outputs are the results of the last run that read the state after an apply or a plan without changes.
	applied   *Applied
	outputs   map[string]json.RawMessage
	destroyed bool
	retained  bool
	// checked is the time of the last run. digest is the digest of the infrastructure for which that run's plan found no changes, or empty.
	checked time.Time
	digest  string
	// since is the time at which this process first observed the target.
	since time.Time
	// lastPlan is the record of the last recorded plan. lastApplied is the record of the last applied plan, and appliedAt is the time of
	// that apply. Every step reports them, so that the next reconcile writes them if a status update fails.
	lastPlan, lastApplied *plan.Record
	appliedAt             time.Time

	// plan is the plan of the target that is in no final phase yet, or nil. If dropped is not nil, the plan is not applied any more, and
	// dropped determines its final phase.
	plan    *plan.Stored
	dropped outcome
	// failedPlan is the last plan whose apply failed or was interrupted, as long as it is not known whether something of it is left to do.
	failedPlan *plan.Stored
	// resumed is true after this process has looked for the plans that an earlier process has recorded for the target.
	resumed bool

	// action is what the last submitted run does: an action of logRun.
	action string
	// approved is not nil while a run waits for the step that decides about the plan that the run has made. The step sends whether the run
	// applies the plan.
	approved chan bool

	// err is the error of the last run.
	err error
	// failures is the number of consecutive failed runs. failedFor is the workspace digest of the last failed run, and retryAt is the time
	// of its retry.
	failures  int
	failedFor string
	retryAt   time.Time
	// destroyFailures is the number of destroy plans whose apply failed.
	destroyFailures int
	// unfinished means that another run is needed, because the last one failed or was superseded.
	unfinished bool
	// hold is the reason why the last run changed nothing, or nil. After retryAt another run observes the infrastructure again.
	hold *plan.Hold

	// events are the events that no step has reported yet. reported is true if a step has reported the outcome of the last run.
	events   []Event
	reported bool
}

// memories contains the memory of each target by key. Its methods are safe for concurrent use.
type memories struct {
	mu      sync.Mutex
	targets map[string]*memory
}

func newMemories() *memories { return &memories{targets: map[string]*memory{}} }

// with calls use with the memory of the target whose key is key. It holds the lock during the call.
func (t *memories) with(key string, use func(m *memory)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.targets[key] == nil {
		t.targets[key] = &memory{reported: true}
	}
	use(t.targets[key])
}

// each calls use with the memory of each target. It holds the lock during the calls.
func (t *memories) each(use func(m *memory)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.targets {
		use(m)
	}
}

// forget removes the memory of the target whose key is key.
func (t *memories) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.targets, key)
}

// observe adds the results of this process to the facts from the object's status.
func (m *memory) observe(o *Observed) {
	if m.applied != nil {
		o.Applied, o.Unfinished = m.applied.WorkspaceDigest, false
	}
	if m.approved != nil {
		o.Running = false
	}
	if m.since.IsZero() {
		m.since = o.Now
	}
	if m.checked.After(o.Checked) {
		o.Checked, o.Digest = m.checked, m.digest
	}
	o.Destroyed, o.Retained = m.destroyed, m.retained
	o.Unfinished = o.Unfinished || m.unfinished
	if o.Now.Before(m.retryAt) {
		o.NoPlan = m.hold
	}
	o.Failure = Failure{Rendered: m.failedFor, RetryAt: m.retryAt, LockHeld: lockHeld(m.err)}
}

// remember updates the memory after a run with the outcome o. digest is the digest of the workspace that the run used.
func (m *memory) remember(o outcome, digest string, now time.Time) {
	m.events, m.reported = append(m.events, eventsOf(o)...), false
	m.checked, m.digest, m.hold = now, "", nil
	if err := errorOf(o); err != nil {
		m.fail(err, digest, now)
	} else {
		m.err, m.failedFor, m.retryAt, m.unfinished, m.destroyed = nil, "", time.Time{}, false, false
	}
	switch o := o.(type) {
	case failed:
		if o.applying != nil && o.applying.Destroy && !stateFailure(o.err) {
			m.destroyFailures++
		}
	case unread:
		m.lastApplied, m.appliedAt = o.record, now
	case planned:
		// A successful plan does not reset the number of failures, because its apply may fail again.
		m.lastPlan = &o.plan.Record
	case resumed:
		m.lastPlan = &o.plan.Record
	case unchanged:
		m.digest = o.digest
		m.read(o.readBack)
	case applied:
		m.lastApplied, m.appliedAt = o.record, now
		m.read(o.readBack)
	case destroyed:
		m.failures, m.destroyed = 0, true
		if o.record != nil {
			m.lastApplied, m.appliedAt = o.record, now
		}
	case destroyedSome:
		m.failures, m.unfinished = 0, true
		m.lastApplied, m.appliedAt = o.record, now
	case retained:
		m.failures, m.retained = 0, true
	case superseded, unlocked:
		m.failures, m.unfinished = 0, true
	case onHold:
		m.failures, m.unfinished, m.hold, m.retryAt = 0, true, &o.hold, now.Add(backoffSlow)
	}
}

// entered remembers the plan of the target after its status was written with the verdict. before is the status before that.
func (m *memory) entered(written plan.Stored, before infrav1.NutanixPlanStatus, verdict plan.Verdict) {
	m.plan = &written
	m.events = append(m.events, approvalEvents(written, before, verdict)...)
	if event, ok := decisionEvent(written, before.Phase); ok {
		m.events = append(m.events, event)
	}
}

// stateFailure reports whether a run failed because of the Terraform state or because the disk of this host is full. Such a failure has
// nothing to do with Prism Central.
func stateFailure(err error) bool {
	class := terraform.ClassOf(err)
	return class == terraform.LockHeld || class == terraform.LocalDisk || terraform.SourceOf(err) == terraform.SourceBackend
}

// lockHeld reports whether a run failed because another process holds the lock of the state.
func lockHeld(err error) bool { return terraform.ClassOf(err) == terraform.LockHeld }

func (m *memory) fail(err error, digest string, now time.Time) {
	m.err, m.failedFor, m.unfinished = err, digest, true
	m.retryAt = now.Add(backoff(err, m.failures))
	m.failures++
}

func (m *memory) read(back readBack) {
	m.failures = 0
	m.applied, m.outputs = &back.applied, back.outputs
}
