package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
	"github.com/capnt/capnt/internal/provider"
)

// disruptivePlan is a plan that power-cycles a VM.
var disruptivePlan = Record{
	Target: infrav1.PlanTarget{Key: "m-1"}, Source: infrav1.PlanOrigin{Author: "alice", Creator: "capi"},
	ChangeDigest: "change", ClassDigest: "class", Disruption: provider.PowerCycle,
}

var decisionTime = time.Date(2026, 12, 4, 12, 0, 0, 0, time.UTC)

// decision returns an approval by user of the change digest "change". change may modify it.
func decision(name, user string, change func(*infrav1.NutanixPlanDecision)) infrav1.NutanixPlanDecision {
	d := infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"change"},
			DecidedBy: &infrav1.PlanDecider{Username: user}, ExpiresAt: &metav1.Time{Time: decisionTime.Add(time.Hour)}},
	}
	if change != nil {
		change(&d)
	}
	return d
}

func byClass(d *infrav1.NutanixPlanDecision) { d.Spec.Changes, d.Spec.Classes = nil, []string{"class"} }

func used(digest, target string, applied bool) infrav1.PlanDecisionUse {
	use := infrav1.PlanDecisionUse{Digest: digest, Target: target}
	if applied {
		use.AppliedTime = &metav1.Time{Time: decisionTime}
	}
	return use
}

func TestApprovals(t *testing.T) {
	const flux, argo = "system:serviceaccount:flux-system:kustomize-controller", "system:serviceaccount:argocd:argocd-application-controller"
	type decisions = []infrav1.NutanixPlanDecision
	for name, test := range map[string]struct {
		decisions decisions
		required  int32
		record    func(*Record)
		want      Decision
		by        []string
	}{
		"nobody has decided":          {want: Waiting},
		"one approval":                {decisions: decisions{decision("d", "bob", nil)}, want: Approved, by: []string{"bob"}},
		"another change":              {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.Spec.Changes = []string{"other"} })}, want: Waiting},
		"expired":                     {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.Spec.ExpiresAt.Time = decisionTime })}, want: Waiting},
		"being revoked":               {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.DeletionTimestamp = &metav1.Time{Time: decisionTime} })}, want: Waiting},
		"the author":                  {decisions: decisions{decision("d", "alice", nil)}, want: Waiting},
		"the creator of the machine":  {decisions: decisions{decision("d", "capi", nil)}, want: Waiting},
		"nobody has made it":          {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.Spec.DecidedBy = nil })}, want: Waiting},
		"one of two":                  {decisions: decisions{decision("d", "bob", nil)}, required: 2, want: Waiting},
		"two of one user":             {decisions: decisions{decision("d", "bob", nil), decision("e", "bob", nil)}, required: 2, want: Waiting},
		"two users":                   {decisions: decisions{decision("d", "carol", nil), decision("e", "bob", nil)}, required: 2, want: Approved, by: []string{"bob", "carol"}},
		"two GitOps controllers":      {decisions: decisions{decision("d", flux, nil), decision("e", argo, nil)}, required: 2, want: Waiting},
		"a GitOps controller and Bob": {decisions: decisions{decision("d", flux, nil), decision("e", "bob", nil)}, required: 2, want: Approved, by: []string{"bob", flux}},
		"used": {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			d.Status.Uses = []infrav1.PlanDecisionUse{used("change", "m-1", true)}
		})}, want: Waiting},
		"used by a plan that was not applied": {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			d.Status.Uses = []infrav1.PlanDecisionUse{used("change", "m-1", false)}
		})}, want: Approved, by: []string{"bob"}},
		"used more than once": {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			d.Spec.MaxUses, d.Status.Uses = ptr.To[int32](2), []infrav1.PlanDecisionUse{used("change", "m-1", true)}
		})}, want: Approved, by: []string{"bob"}},
		"the class without a limit": {decisions: decisions{decision("d", "bob", byClass)}, want: Waiting},
		"the class, last use": {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			byClass(d)
			d.Spec.MaxUses, d.Status.Uses = ptr.To[int32](2), []infrav1.PlanDecisionUse{used("class", "m-2", true)}
		})}, want: Approved, by: []string{"bob"}},
		"the class, used by others": {decisions: decisions{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			byClass(d)
			d.Spec.MaxUses, d.Status.Uses = ptr.To[int32](2), []infrav1.PlanDecisionUse{used("class", "m-2", true), used("class", "m-3", false)}
		})}, want: Waiting},
		"the class of a plan that disrupts nothing": {decisions: decisions{decision("d", "bob", byClass)},
			record: func(r *Record) { r.Disruption = provider.None }, want: Approved, by: []string{"bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			record := disruptivePlan
			if test.record != nil {
				test.record(&record)
			}
			verdict := Decide(record, Facts{Decisions: test.decisions, GitOps: sets.New(flux, argo), Now: decisionTime,
				Rules: Rules{Mode: infrav1.ApprovalModeAlways, RequiredApprovals: test.required}})
			assert.Equal(t, test.want, verdict.Decision, verdict.Reason)
			if test.want == Approved {
				assert.Equal(t, test.by, verdict.DecidedBy)
			}
			assert.Equal(t, test.want == Waiting, verdict.NeedsApproval)
		})
	}
}

func TestDenialTakesPrecedence(t *testing.T) {
	denied := decision("z", "dave", func(d *infrav1.NutanixPlanDecision) {
		d.Spec.Verdict, d.Spec.Reason = infrav1.PlanVerdictDenied, "too risky"
	})
	facts := Facts{Decisions: []infrav1.NutanixPlanDecision{decision("a", "bob", nil), denied}, Now: decisionTime}
	verdict := Decide(disruptivePlan, facts)
	assert.Equal(t, Denied, verdict.Decision)
	assert.Equal(t, "dave denied it with NutanixPlanDecision z: too risky", verdict.Reason)
	facts.Now = denied.Spec.ExpiresAt.Time
	assert.Equal(t, Waiting, Decide(disruptivePlan, facts).Decision, "both have expired")

	facts = Facts{Now: decisionTime, Deleting: true, Findings: []policy.Finding{{Policy: "prod/p", Rule: "r", Verdict: infrav1.PolicyVerdictDeny, Message: "no"}}}
	verdict = Decide(Record{}, facts)
	assert.Equal(t, Denied, verdict.Decision, "also of an object that is being deleted")
	assert.Equal(t, "policy prod/p: no", verdict.Reason)
}

func TestPolicyRequiresApproval(t *testing.T) {
	record := disruptivePlan
	record.Disruption = provider.None
	facts := Facts{Now: decisionTime, Findings: []policy.Finding{
		{Policy: "prod/warn", Verdict: infrav1.PolicyVerdictWarn, Message: "large"},
		{Policy: "prod/p", Verdict: infrav1.PolicyVerdictRequireApproval, Message: "new subnet"},
	}}
	verdict := Decide(record, facts)
	assert.Equal(t, Waiting, verdict.Decision)
	assert.Equal(t, []string{"1 of 1 approvals", "policy prod/p: new subnet"}, verdict.WaitingFor)
	facts.Decisions = []infrav1.NutanixPlanDecision{decision("d", "bob", nil)}
	assert.Equal(t, Approved, Decide(record, facts).Decision)
	facts.Findings = facts.Findings[:1]
	facts.Decisions = nil
	assert.Equal(t, Approved, Decide(record, facts).Decision, "a warning needs no approval")
}

func TestFreezeDelaysAnApprovedPlan(t *testing.T) {
	freeze := infrav1.ApprovalFreeze{ApprovalPeriod: infrav1.ApprovalPeriod{Name: "release", Start: &metav1.Time{Time: decisionTime.Add(-time.Hour)},
		End: &metav1.Time{Time: decisionTime.Add(time.Hour)}}, By: "ops", Reason: "release week"}
	facts := Facts{Now: decisionTime, Rules: Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{Freezes: []infrav1.ApprovalFreeze{freeze}}),
		Decisions: []infrav1.NutanixPlanDecision{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.Spec.ExpiresAt.Time = decisionTime.Add(9 * time.Hour) })}}
	verdict := Decide(disruptivePlan, facts)
	assert.Equal(t, Waiting, verdict.Decision)
	assert.False(t, verdict.NeedsApproval, "it is approved and waits only for the end of the freeze")
	assert.Equal(t, freeze.End.Time, verdict.Until)
	facts.Now = freeze.End.Time
	assert.Equal(t, Approved, Decide(disruptivePlan, facts).Decision)
}

func TestVerdictCanChangeWithTime(t *testing.T) {
	minute, expiry := decisionTime.Add(time.Minute), decisionTime.Add(9*time.Hour)
	finding := func(verdict infrav1.PolicyVerdict, volatile bool) []policy.Finding {
		return []policy.Finding{{Policy: "prod/p", Verdict: verdict, Message: "no", Volatile: volatile}}
	}
	decided := func(verdict infrav1.PlanVerdict) []infrav1.NutanixPlanDecision {
		return []infrav1.NutanixPlanDecision{decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
			d.Spec.Verdict, d.Spec.ExpiresAt.Time = verdict, expiry
		})}
	}
	two := Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{RequiredApprovals: 2})
	frozen := Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{Freezes: []infrav1.ApprovalFreeze{{ApprovalPeriod: infrav1.ApprovalPeriod{
		Name: "now", Start: &metav1.Time{Time: decisionTime}, End: &metav1.Time{Time: decisionTime.Add(30 * time.Second)}}}}})
	for name, test := range map[string]struct {
		facts    Facts
		decision Decision
		until    time.Time
	}{
		"denied by a volatile policy":                {Facts{Findings: finding(infrav1.PolicyVerdictDeny, true)}, Denied, minute},
		"denied by another policy":                   {Facts{Findings: finding(infrav1.PolicyVerdictDeny, false)}, Denied, time.Time{}},
		"a volatile policy requires approval":        {Facts{Findings: finding(infrav1.PolicyVerdictRequireApproval, true)}, Waiting, minute},
		"a volatile policy warns":                    {Facts{Findings: finding(infrav1.PolicyVerdictWarn, true)}, Waiting, time.Time{}},
		"denied by a user":                           {Facts{Decisions: decided(infrav1.PlanVerdictDenied)}, Denied, expiry},
		"one of two approvals":                       {Facts{Rules: two, Decisions: decided(infrav1.PlanVerdictApproved)}, Waiting, expiry},
		"one of two approvals and a volatile policy": {Facts{Rules: two, Decisions: decided(infrav1.PlanVerdictApproved), Findings: finding(infrav1.PolicyVerdictRequireApproval, true)}, Waiting, minute},
		"a freeze that ends before":                  {Facts{Rules: frozen, Findings: finding(infrav1.PolicyVerdictRequireApproval, true)}, Waiting, decisionTime.Add(30 * time.Second)},
		"approved":                                   {Facts{Decisions: decided(infrav1.PlanVerdictApproved), Findings: finding(infrav1.PolicyVerdictRequireApproval, true)}, Approved, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			test.facts.Now = decisionTime
			verdict := Decide(disruptivePlan, test.facts)
			assert.Equal(t, test.decision, verdict.Decision)
			assert.Equal(t, test.until, verdict.Until)
		})
	}
}
