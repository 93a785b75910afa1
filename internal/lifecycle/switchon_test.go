package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// inTurn returns the hook Observe that returns the observations in turn, and then the last one.
func inTurn(observations ...Observation) func(string) (Observation, error) {
	return func(string) (Observation, error) {
		seen := observations[0]
		if len(observations) > 1 {
			observations = observations[1:]
		}
		return seen, nil
	}
}

// off is the observation of infrastructure that is off and that a plan switches on. running is the same infrastructure when it is on.
var (
	off     = Observation{Found: true, SwitchOn: true, Files: map[string][]byte{"power.tf": []byte("ON")}}
	running = Observation{Found: true, Files: off.Files}
)

// switchingOn returns a fixture with infrastructure whose next plan switches it on and changes its memory.
func switchingOn(t *testing.T, observations ...Observation) *fixture {
	t.Helper()
	f := newFixture(t)
	f.settle()
	f.observe = inTurn(observations...)
	f.target.ProviderVersion = "2.4.2"
	f.plan = updated("memory_size_mib")
	change := f.plan.ResourceChanges[0].Change
	change.Before.(map[string]any)["power_state"], change.After.(map[string]any)["power_state"] = "OFF", "ON"
	f.render("digest-2")
	return f
}

// An interrupted run left the infrastructure off. It is switched on without a decision, although the plan would otherwise have the class
// PowerCycle.
func TestInterruptedRunIsCompletedWithoutADecision(t *testing.T) {
	f := switchingOn(t, off, off, running)
	require.Equal(t, InSync, f.settle().State, f.String())
	assert.Contains(t, f.String(), "apply plan file 2, session keep-power")
	last := f.recordedPlans()[len(f.recordedPlans())-1]
	assert.Equal(t, infrav1.PlanPhaseApplied, last.Status.Phase)
	assert.Equal(t, infrav1.PlanDisruptionNone, last.Spec.Disruption)
}

// The provider switches a VM off for any power state but ON. The workspace contains such a state if Prism Central did not report the power
// state of the VM, so that not even an approval lets the plan pass.
func TestPlanThatSwitchesTheInfrastructureOffIsNotRecorded(t *testing.T) {
	f := switchingOn(t, running)
	change := f.plan.ResourceChanges[0].Change
	change.Before.(map[string]any)["power_state"], change.After.(map[string]any)["power_state"] = "ON", "UNDETERMINED"
	before := len(f.recordedPlans())
	result := f.settle()
	require.Equal(t, Failed, result.State)
	require.ErrorContains(t, result.Err, "would set the power state of virtual machine vm-1 to UNDETERMINED, which switches it off")
	assert.Len(t, f.recordedPlans(), before)
}

// The provider can hide that it could not switch the infrastructure on.
func TestApplyThatLeavesTheInfrastructureOffFails(t *testing.T) {
	for name, f := range map[string]*fixture{
		"a plan that switches it on":  switchingOn(t, off),
		"a plan that power-cycles it": cycling(t, func() error { return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			if f.target.Hooks.PowerCycle != nil {
				f.observe = inTurn(Observation{Found: true}, off)
			}
			result := f.settle()
			require.Equal(t, Failed, result.State, f.String())
			assert.ErrorContains(t, result.Err, "virtual machine vm-1 is off after the apply")
		})
	}
}

// A plan of class None that assumes that the infrastructure is off is not applied to running infrastructure.
func TestInfrastructureThatIsOnAgainIsPlannedAgain(t *testing.T) {
	f := switchingOn(t, off, running)
	again, observe := f.plan, f.observe
	f.observe = func(id string) (Observation, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.plan = again // Terraform plans the same change each time
		return observe(id)
	}
	require.Equal(t, AwaitingDecision, f.settle().State, f.String())
	assert.NotContains(t, f.String(), "apply plan file 2")
	assert.Equal(t, infrav1.PlanDisruptionPowerCycle, f.onlyPlan(infrav1.PlanPhaseWaiting).Spec.Disruption)
}

// Infrastructure whose absence is confirmed is removed from the state with a recorded edit, because provider 2.4 cannot make a plan while the
// state contains it.
func TestAbsentInfrastructureIsForgottenAndCreatedAgain(t *testing.T) {
	f := newFixture(t)
	f.addResource(machineAddress, "vm-0", false)
	f.identify = func(known string) (string, error) {
		if known == "vm-0" {
			return "", &AbsentError{ID: known}
		}
		return "", nil
	}
	require.Equal(t, InSync, f.settle().State, f.String())
	state, err := f.State(t.Context())
	require.NoError(t, err)
	require.Len(t, state.Resources, 1)
	assert.Equal(t, "vm-1", state.Resources[0].ID)
	var reasons []string
	for _, recorded := range f.recordedPlans() {
		reasons = append(reasons, string(recorded.Spec.Cause)+" "+recorded.Spec.Changes[0].Reason)
	}
	assert.ElementsMatch(t, []string{"Forget finding virtual machine vm-0: its absence is confirmed", "Create "}, reasons)
}
