package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
)

// retentions are the ends of objects whose infrastructure stays.
var retentions = map[string]func(w *world){
	"retain": func(w *world) {
		w.settle()
		w.retain()
		w.settle()
		w.step()
	},
	"retain-imports-what-the-state-lacks": func(w *world) {
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.retain()
		w.settle()
	},
	"retain-nothing": func(w *world) {
		w.identify = func(string) (string, error) { return "", &AbsentError{ID: "vm-7"} }
		w.retain()
		w.settle()
	},
	"retain-with-foreign-categories": func(w *world) {
		w.hold(machineAddress, "vm-1", false)
		w.observe = func(string) (Observation, error) {
			return Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff"}, Files: map[string][]byte{"foreign.tf": []byte("# foreign")}}, nil
		}
		w.retain()
		w.settle()
	},
	"retain-while-the-export-fails": func(w *world) {
		w.settle()
		w.retain()
		w.fail("export", errors.New("creating Secret default/m-1: the server is overloaded"))
		w.settle()
		w.advance(5 * time.Second)
		w.settle()
	},
	"retain-with-a-recorded-destroy-plan": func(w *world) {
		w.settle()
		w.delete()
		w.step()
		w.wait() // the destroy plan is recorded and would be applied with the next step
		w.retain()
		w.settle()
	},
}

// retain deletes the object of a Cluster whose deletion policy is Retain.
func (w *world) retain() {
	w.target.Retain = true
	w.delete()
}

func TestRetentions(t *testing.T) { play(t, retentions) }

// A destroy that waits for a slot must not begin any more once the infrastructure has to stay.
func TestQueuedDestroyIsWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.delete()
	w.step()
	w.wait()
	busy := make(chan struct{})
	for _, key := range []string{"a", "b"} {
		w.occupy(key, busy)
	}
	require.Equal(t, Running, w.step().State, "the apply waits for a slot")
	w.retain()
	require.Equal(t, Running, w.step().State, "the export waits in its place")
	close(busy)
	w.settle()
	assert.NotContains(t, w.String(), "apply plan file 2")
	assert.Contains(t, w.String(), "export state")
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
