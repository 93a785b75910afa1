package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// retainScenarios are deletions of objects whose infrastructure stays.
var retainScenarios = map[string]func(f *fixture){
	"retain": func(f *fixture) {
		f.settle()
		f.retain()
		f.settle()
		f.step()
	},
	"retain-imports-existing-machine": func(f *fixture) {
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.retain()
		f.settle()
	},
	"retain-nothing": func(f *fixture) {
		f.identify = func(string) (string, error) { return "", &AbsentError{ID: "vm-7"} }
		f.retain()
		f.settle()
	},
	"retain-with-foreign-categories": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", false)
		f.observe = func(string) (Observation, error) {
			return Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff"}, Files: map[string][]byte{"foreign.tf": []byte("# foreign")}}, nil
		}
		f.retain()
		f.settle()
	},
	"retain-while-the-export-fails": func(f *fixture) {
		f.settle()
		f.retain()
		f.fail("export", errors.New("creating Secret default/m-1: the server is overloaded"))
		f.settle()
		f.advance(5 * time.Second)
		f.settle()
	},
	"retain-with-an-unwritten-state": func(f *fixture) {
		f.fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "failed to save state", ErroredState: []byte(`"the state"`)})
		f.fail("push", terraformError("state push", terraform.Transient))
		f.settle()
		f.addResource(machineAddress, "vm-1", false)
		f.retain()
		f.advance(5 * time.Second)
		f.settle() // the backend still does not respond, so nothing is exported
		f.advance(10 * time.Second)
		f.settle()
	},
	"retain-with-a-recorded-destroy-plan": func(f *fixture) {
		f.settle()
		f.delete()
		f.step()
		f.wait() // the destroy plan is recorded, and the next step would apply the plan
		f.retain()
		f.settle()
	},
}

// retain deletes an object whose Cluster is being deleted with the deletion policy Retain.
func (f *fixture) retain() {
	f.target.Retain = true
	f.delete()
}

func TestRetainScenarios(t *testing.T) { play(t, retainScenarios) }

// TestQueuedDestroyIsWithdrawn proves that a queued run that would destroy infrastructure does not start once the infrastructure has to
// stay.
func TestQueuedDestroyIsWithdrawn(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.delete()
	f.step()
	f.wait()
	busy := make(chan struct{})
	for _, key := range []string{"a", "b", "c"} {
		f.occupy(key, true, busy)
	}
	require.Equal(t, Running, f.step().State, "the apply waits for memory")
	f.retain()
	require.Equal(t, Running, f.step().State, "the export waits in its place")
	close(busy)
	f.settle()
	assert.NotContains(t, f.String(), "apply plan file 2")
	assert.Contains(t, f.String(), "export state")
}

func TestDetermineRetention(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	destroy := &plan.Record{Cause: plan.CauseDelete, Basis: plan.Basis{WorkspaceDigest: "new"}, Destroy: true}
	tests := map[string]struct {
		observed Observed
		want     State
	}{
		"not exported":                 {Observed{Deleting: true, Retain: true}, Retaining},
		"a destroy plan is recorded":   {Observed{Deleting: true, Retain: true, Plan: destroy, Decision: plan.Approved}, Retaining},
		"exported":                     {Observed{Deleting: true, Retain: true, Retained: true, Plan: destroy, Decision: plan.Approved}, InSync},
		"exporting failed":             {Observed{Deleting: true, Retain: true, Failure: Failure{Rendered: "new", RetryAt: now.Add(1)}}, Failed},
		"exporting":                    {Observed{Deleting: true, Retain: true, Running: true}, Running},
		"exported, then to be deleted": {Observed{Deleting: true, Retained: true}, NoPlan},
		"not being deleted":            {Observed{Retain: true}, NoPlan},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.observed.Rendered, test.observed.Now = "new", now
			assert.Equal(t, test.want, Determine(test.observed))
		})
	}
}
