package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestPlanWait(t *testing.T) {
	tests := []struct {
		phase   infrav1.PlanPhase
		until   string
		code    int
		message string
	}{
		{infrav1.PlanPhaseApproved, "decided", 0, "is Approved"},
		{infrav1.PlanPhaseApplying, "decided", 0, "is Applying"},
		{infrav1.PlanPhaseApplied, "decided", 0, "is Applied"},
		{infrav1.PlanPhaseApplied, "applied", 0, "is Applied"},
		{infrav1.PlanPhaseDenied, "decided", 2, "the plan is Denied: because"},
		{infrav1.PlanPhaseFailed, "applied", 2, "the plan is Failed: because"},
		{infrav1.PlanPhaseSuperseded, "decided", 2, "the plan is Superseded: because"},
		{infrav1.PlanPhaseExpired, "applied", 2, "the plan is Expired: because"},
		{infrav1.PlanPhaseWaiting, "decided", 1, "still waits"},
		{infrav1.PlanPhaseApproved, "applied", 1, "still waits"},
		{infrav1.PlanPhaseWaiting, "never", 2, "set it to decided or applied"},
	}
	for _, test := range tests {
		t.Run(string(test.phase)+" "+test.until, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			program.updatePlan(t, driftPlan, func(plan *infrav1.NutanixPlan) {
				plan.Status.Phase, plan.Status.Message = test.phase, "because"
			})
			timeout := "30s"
			if test.code == exitWaits {
				timeout = "100ms"
			}
			assert.Equal(t, test.code, program.run(t, "plan", "wait", driftPlan, "--for", test.until, "--timeout", timeout))
			assert.Contains(t, program.out.String()+program.err.String(), test.message)
		})
	}
}

func TestPlanWaitSeesTheDecision(t *testing.T) {
	program := newProgram(t, objects(t)...)
	code := make(chan int)
	go func() { code <- program.run(t, "plan", "wait", driftPlan, "--timeout", "30s") }()
	program.updatePlan(t, driftPlan, func(plan *infrav1.NutanixPlan) { plan.Status.Phase = infrav1.PlanPhaseApproved })
	assert.Equal(t, 0, <-code)
}

func TestPlanWaitForMissingPlan(t *testing.T) {
	program := newProgram(t)
	assert.Equal(t, 2, program.run(t, "plan", "wait", "none"))
	assert.Contains(t, program.err.String(), "not found")
}

func TestErrorCannotChangeTheTerminal(t *testing.T) {
	program := newProgram(t, objects(t)...)
	program.updatePlan(t, driftPlan, func(plan *infrav1.NutanixPlan) {
		plan.Status.Phase, plan.Status.Message = infrav1.PlanPhaseFailed, "\x1b[2K\rok"
	})
	assert.Equal(t, 2, program.run(t, "plan", "wait", driftPlan))
	assert.Contains(t, program.err.String(), "the plan is Failed: \uFFFD[2K\uFFFDok\n")
}
