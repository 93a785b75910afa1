package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// decisions returns the decisions that exist.
func (p *program) decisions(t *testing.T) []infrav1.NutanixPlanDecision {
	t.Helper()
	list := &infrav1.NutanixPlanDecisionList{}
	require.NoError(t, p.List(t.Context(), list, client.InNamespace(namespace)))
	return list.Items
}

func TestApproveByName(t *testing.T) {
	program := newProgram(t, objects(t)...)
	program.answer("y\n")
	assert.Equal(t, 0, program.run(t, "plan", "approve", driftPlan, "--reason", "CHG-4711"))
	golden(t, "approve.txt", program.err.String())
	decisions := program.decisions(t)
	require.Len(t, decisions, 1)
	assert.Equal(t, infrav1.NutanixPlanDecisionSpec{
		Verdict:   infrav1.PlanVerdictApproved,
		Changes:   []string{digest("9f2c1a")},
		Reason:    "CHG-4711",
		ExpiresAt: &metav1.Time{Time: now.Add(24 * time.Hour).Local()},
	}, decisions[0].Spec)
	assert.Regexp(t, `^approve-9f2c1a-`, decisions[0].Name)
	assert.Equal(t, "decision prod/"+decisions[0].Name+" created: Approved until 2026-12-02T09:15:00Z\n", program.out.String())
}

func TestApproveClass(t *testing.T) {
	program := newProgram(t, objects(t)...)
	program.answer("y\n")
	assert.Equal(t, 0, program.run(t, "plan", "approve", "--class", rolloutClass, "--reason", "CHG-4711"))
	golden(t, "approve-class.txt", program.err.String())
	decisions := program.decisions(t)
	require.Len(t, decisions, 1)
	assert.Equal(t, []string{digest(rolloutClass)}, decisions[0].Spec.Classes)
	assert.Empty(t, decisions[0].Spec.Changes)
	assert.Equal(t, int32(12), *decisions[0].Spec.MaxUses)
}

func TestDeny(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 0, program.run(t, "plan", "deny", "--change", "9f2c1a", "--reason", "not now", "--yes", "--expires", "1h"))
	decisions := program.decisions(t)
	require.Len(t, decisions, 1)
	assert.Equal(t, infrav1.PlanVerdictDenied, decisions[0].Spec.Verdict)
	assert.Equal(t, []string{digest("9f2c1a")}, decisions[0].Spec.Changes)
	assert.True(t, decisions[0].Spec.ExpiresAt.Equal(&metav1.Time{Time: now.Add(time.Hour)}))
}

func TestApproveAsksForReasonAndConfirmation(t *testing.T) {
	tests := map[string]struct {
		answers string
		code    int
		made    int
		message string
	}{
		"both":            {"CHG-4711\ny\n", 0, 1, "Approve 1 plan for 24h? [y/N]"},
		"no reason":       {"\ny\n", 2, 0, "a decision needs a reason"},
		"no confirmation": {"CHG-4711\n\n", 1, 0, "Nothing was decided."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			program.answer(test.answers)
			assert.Equal(t, test.code, program.run(t, "plan", "approve", driftPlan))
			assert.Contains(t, program.err.String(), test.message)
			assert.Len(t, program.decisions(t), test.made)
		})
	}
}

func TestApproveWithoutTerminal(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 2, program.run(t, "plan", "approve", driftPlan, "--yes"))
	assert.Contains(t, program.err.String(), "set --reason")
	assert.Equal(t, 2, program.run(t, "plan", "approve", driftPlan, "--reason", "CHG-4711"))
	assert.Contains(t, program.err.String(), "set --yes")
	assert.Empty(t, program.decisions(t))
}

func TestDecisionForGit(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 0, program.run(t, "plan", "approve", "--class", rolloutClass, "--reason", "CHG-4711", "--dry-run=client", "-o", "yaml"))
	golden(t, "decision.yaml", program.out.String())
	assert.Empty(t, program.decisions(t))
}

func TestDecisionBeforeThePlan(t *testing.T) {
	program := newProgram(t)
	class := digest("abcdef")
	assert.Equal(t, 2, program.run(t, "plan", "approve", "--class", class, "--reason", "CHG-4711", "--yes"))
	assert.Contains(t, program.err.String(), "set --max-uses")
	assert.Equal(t, 2, program.run(t, "plan", "approve", "--class", "abcdef", "--reason", "CHG-4711", "--yes"))
	assert.Contains(t, program.err.String(), "no plan has a digest that begins with abcdef")
	assert.Equal(t, 0, program.run(t, "plan", "approve", "--class", class, "--reason", "CHG-4711", "--yes", "--max-uses", "3"))
	assert.Contains(t, program.err.String(), "No plan has these digests yet.")
	require.Len(t, program.decisions(t), 1)
}

func TestPlanIsNotDecidedTwice(t *testing.T) {
	earlier := func(change func(*infrav1.NutanixPlanDecision)) *infrav1.NutanixPlanDecision {
		decision := &infrav1.NutanixPlanDecision{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "earlier"},
			Spec: infrav1.NutanixPlanDecisionSpec{
				Verdict: infrav1.PlanVerdictApproved, Changes: []string{digest("9f2c1a")},
				ExpiresAt: ptr.To(metav1.NewTime(now.Add(time.Hour))),
				DecidedBy: &infrav1.PlanDecider{Username: "approver@example.com", At: metav1.NewTime(now)},
			},
		}
		change(decision)
		return decision
	}
	byClass := func(maxUses int32) func(*infrav1.NutanixPlanDecision) {
		return func(d *infrav1.NutanixPlanDecision) {
			d.Spec.Changes, d.Spec.Classes, d.Spec.MaxUses = nil, []string{digest("5e5e5e")}, &maxUses
		}
	}
	tests := map[string]struct {
		earlier func(*infrav1.NutanixPlanDecision)
		verb    string
		refused bool
	}{
		"same":                {func(*infrav1.NutanixPlanDecision) {}, "approve", true},
		"by the class":        {byClass(1), "approve", true},
		"denied by class":     {func(d *infrav1.NutanixPlanDecision) { byClass(1)(d); d.Spec.Verdict = infrav1.PlanVerdictDenied }, "deny", true},
		"other user":          {func(d *infrav1.NutanixPlanDecision) { d.Spec.DecidedBy.Username = "other" }, "approve", false},
		"expired":             {func(d *infrav1.NutanixPlanDecision) { d.Spec.ExpiresAt = ptr.To(metav1.NewTime(now)) }, "approve", false},
		"other change":        {func(d *infrav1.NutanixPlanDecision) { d.Spec.Changes = []string{digest("0a0a0a")} }, "approve", false},
		"denied before":       {func(d *infrav1.NutanixPlanDecision) { d.Spec.Verdict = infrav1.PlanVerdictDenied }, "approve", true},
		"approved, denies":    {func(*infrav1.NutanixPlanDecision) {}, "deny", false},
		"class without limit": {func(d *infrav1.NutanixPlanDecision) { byClass(1)(d); d.Spec.MaxUses = nil }, "approve", true},
		"used": {func(d *infrav1.NutanixPlanDecision) {
			d.Status.Uses = []infrav1.PlanDecisionUse{{Digest: digest("9f2c1a")}}
		}, "approve", false},
		"class used": {func(d *infrav1.NutanixPlanDecision) {
			byClass(1)(d)
			d.Status.Uses = []infrav1.PlanDecisionUse{{Digest: digest("5e5e5e")}}
		}, "approve", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			program := newProgram(t, append(objects(t), earlier(test.earlier))...)
			code := program.run(t, "plan", test.verb, driftPlan, "--reason", "CHG-4711", "--yes")
			if test.refused {
				assert.Equal(t, 2, code)
				assert.Contains(t, program.err.String(), "in decision earlier, which applies until 2026-12-01T10:15:00Z: delete that decision to decide again")
			} else {
				assert.Equal(t, 0, code, program.err.String())
			}
		})
	}
}

func TestApprovalOfTheAuthorIsPointedOut(t *testing.T) {
	program := newProgram(t, objects(t)...)
	plan := &infrav1.NutanixPlan{}
	require.NoError(t, program.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: driftPlan}, plan))
	plan.Spec.Origin.Author = "approver@example.com"
	require.NoError(t, program.Update(t.Context(), plan))
	program.run(t, "plan", "approve", driftPlan, "--reason", "CHG-4711", "--yes")
	assert.Contains(t, program.err.String(), "Your approval does not count for 1 of these plans, because you made the change.")
	program.run(t, "plan", "deny", driftPlan, "--reason", "CHG-4711", "--yes")
	assert.NotContains(t, program.err.String(), "does not count")
}

func TestDecidedPlanIsRefused(t *testing.T) {
	tests := []struct {
		phase   infrav1.PlanPhase
		verb    string
		refused string
	}{
		{infrav1.PlanPhaseApproved, "approve", "already approved"},
		{infrav1.PlanPhaseApproved, "deny", ""},
		{infrav1.PlanPhaseDenied, "deny", "already denied"},
		{infrav1.PlanPhaseDenied, "approve", ""},
		{infrav1.PlanPhaseApplying, "deny", "cannot be decided any more"},
		{infrav1.PlanPhaseSuperseded, "approve", "cannot be decided any more"},
	}
	for _, test := range tests {
		t.Run(string(test.phase)+" "+test.verb, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			program.updatePlan(t, driftPlan, func(plan *infrav1.NutanixPlan) { plan.Status.Phase = test.phase })
			code := program.run(t, "plan", test.verb, driftPlan, "--reason", "CHG-4711", "--yes")
			if test.refused == "" {
				assert.Equal(t, 0, code, program.err.String())
				return
			}
			assert.Equal(t, 2, code)
			assert.Contains(t, program.err.String(), test.refused)
		})
	}
}

func TestResolveDigest(t *testing.T) {
	known := []string{digest("aaaaaa1"), digest("aaaaaa2"), digest("bbbbbb"), digest("bbbbbb")}
	tests := map[string]struct{ text, want, err string }{
		"short":               {"bbbbbb", digest("bbbbbb"), ""},
		"short with sha256":   {"sha256:aaaaaa1", digest("aaaaaa1"), ""},
		"full":                {digest("cccccc"), digest("cccccc"), ""},
		"full without sha256": {strings.TrimPrefix(digest("cccccc"), "sha256:"), digest("cccccc"), ""},
		"ambiguous":           {"aaaaaa", "", "2 digests begin with aaaaaa: give more hex digits"},
		"unknown":             {"dddddd", "", "no plan has a digest that begins with dddddd"},
		"too short":           {"bbbbb", "", "give at least the first 6 of its 64 hex digits"},
		"no hex":              {"prod-md-0", "", `invalid digest "prod-md-0"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := resolveDigest(test.text, known)
			assert.Equal(t, test.want, got)
			if test.err == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.err)
			}
		})
	}
}

func TestInvalidDecisions(t *testing.T) {
	tests := map[string]struct {
		args    []string
		message string
	}{
		"nothing":          {nil, "nothing to decide: name plans, or set --change or --class"},
		"unknown plan":     {[]string{"none"}, "plan none does not exist"},
		"expired at once":  {[]string{driftPlan, "--expires", "0s"}, "--expires is not positive"},
		"negative uses":    {[]string{driftPlan, "--max-uses", "-1"}, "--max-uses is not positive"},
		"unknown dry run":  {[]string{driftPlan, "--dry-run=maybe"}, `invalid value "maybe" of --dry-run`},
		"nothing in there": {[]string{driftPlan, "-n", "other"}, "does not exist"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			args := append([]string{"plan", "approve", "--reason", "CHG-4711", "--yes"}, test.args...)
			assert.Equal(t, 2, program.run(t, args...))
			assert.Contains(t, program.err.String(), test.message)
		})
	}
}
