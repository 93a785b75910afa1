package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// cycling returns a fixture with an approved plan that may switch the infrastructure off. record is the hook PowerCycle.
func cycling(t *testing.T, record func() error) *fixture {
	t.Helper()
	f := waiting(t)
	f.target.Hooks.PowerCycle = func(_ context.Context, id string) error {
		f.log("    record the power cycle of %s", id)
		return record()
	}
	f.observe = observing(Observation{Found: true})
	f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	return f
}

func TestPowerCycleIsRecordedBeforeTheApplyAndObservedAfterIt(t *testing.T) {
	f := cycling(t, func() error { return nil })
	require.Equal(t, InSync, f.settle().State)
	_, applied, found := strings.Cut(f.String(), "record the power cycle of vm-1\n")
	require.True(t, found, f.String())
	_, after, found := strings.Cut(applied, "apply plan file 1, session read-write\n")
	require.True(t, found, f.String())
	assert.Contains(t, after, "observe vm-1")
}

func TestPlanIsNotAppliedWithoutARecordOfItsPowerCycle(t *testing.T) {
	f := cycling(t, func() error { return errors.New("the API server is away") })
	require.Equal(t, Failed, f.settle().State)
	assert.NotContains(t, f.String(), "apply plan")
}

func TestPowerCycleOfOtherPlansIsNotRecorded(t *testing.T) {
	f := cycling(t, func() error { return nil })
	f.plan = updated("description")
	f.render("digest-2")
	require.Equal(t, InSync, f.settle().State)
	f.delete()
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, 2, strings.Count(f.String(), "    apply plan file"), f.String())
	assert.NotContains(t, f.String(), "record the power cycle")
}

// TestInterruptedPowerCycle checks that infrastructure that an interrupted apply has switched off gets only a plan that may switch it on.
func TestInterruptedPowerCycle(t *testing.T) {
	off := Observation{Found: true, Interrupted: &plan.Hold{Reason: infrav1.VMPoweredOffReason, Message: "it is off"}}
	f := newFixture(t)
	f.settle()
	f.target.Observation, f.observe = &off, observing(off)
	f.plan = updated("description")
	f.render("digest-2")
	require.Equal(t, Held, f.settle().State)
	assert.Equal(t, infrav1.VMPoweredOffReason, f.step().Hold.Reason)

	f.advance(time.Minute)
	f.plan = updated("memory_size_mib")
	f.render("digest-3")
	require.Equal(t, AwaitingDecision, f.settle().State)
	f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "session read-write")
}
