package admission_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func decision(ns, name string) *infrav1.NutanixPlanDecision {
	return &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: infrav1.NutanixPlanDecisionSpec{
			Verdict: infrav1.PlanVerdictApproved, Changes: []string{digest("a")}, Reason: "CHG-4711",
		},
	}
}

func TestDecisionRecordsItsCreator(t *testing.T) {
	ns := namespace(t)
	d := decision(ns, "d")
	d.Spec.DecidedBy = &infrav1.PlanDecider{Username: "mallory", Groups: []string{"system:masters"}, At: metav1.Unix(0, 0)}
	before := time.Now().Truncate(time.Second)
	require.NoError(t, approver(t, ns, "bob").Create(t.Context(), d))
	by := d.Spec.DecidedBy
	assert.Equal(t, "bob", by.Username)
	assert.ElementsMatch(t, []string{editors, "approvers", "system:authenticated"}, by.Groups)
	assert.WithinRange(t, by.At.Time, before, time.Now())
	assert.Equal(t, by.At.Add(24*time.Hour), d.Spec.ExpiresAt.Time)
	assert.Equal(t, ptr.To[int32](1), d.Spec.MaxUses)
}

func TestDecisionNeedsTheVerbApprove(t *testing.T) {
	ns := namespace(t)
	approver(t, ns, "bob") // permits approvers in ns, and the ClusterRole exists
	alice := as(t, ns, "alice")
	err := alice.Create(t.Context(), decision(ns, "d"))
	require.ErrorContains(t, err, `nutanixplandecisions.infrastructure.cluster.x-k8s.io "d" is forbidden: user "alice" cannot approve `+
		`resource "nutanixplans" in API group "infrastructure.cluster.x-k8s.io" in the namespace "`+ns+`"`)
	require.ErrorContains(t, err, "bind the user to ClusterRole capnt-plan-approver with a RoleBinding in this namespace")
	assert.Error(t, alice.Create(t.Context(), decision(ns, "d"), client.DryRunAll))

	elsewhere := namespace(t)
	carol := as(t, elsewhere, "carol", "approvers")
	assert.ErrorContains(t, carol.Create(t.Context(), decision(elsewhere, "d")), `in the namespace "`+elsewhere+`"`, "approver in another namespace")
}

func TestDryRunOfDecisionIsAdmitted(t *testing.T) {
	ns := namespace(t)
	d := decision(ns, "d")
	require.NoError(t, approver(t, ns, "bob").Create(t.Context(), d, client.DryRunAll))
	assert.Equal(t, "bob", d.Spec.DecidedBy.Username)
	assert.Error(t, api.Get(t.Context(), client.ObjectKeyFromObject(d), d), "nothing is stored")
}

func TestDecisionExpiresWithin90Days(t *testing.T) {
	ns := namespace(t)
	bob := approver(t, ns, "bob")
	d := decision(ns, "d")
	d.Spec.ExpiresAt = ptr.To(metav1.NewTime(time.Now().Add(91 * 24 * time.Hour)))
	require.ErrorContains(t, bob.Create(t.Context(), d), "is more than 90 days from now: set a time before")
	d.Spec.ExpiresAt = ptr.To(metav1.NewTime(time.Now().Add(89 * 24 * time.Hour)))
	require.NoError(t, bob.Create(t.Context(), d))
}

// TestExpiredDecisionCausesAWarning checks that a GitOps controller can apply an old decision to a new management cluster.
func TestExpiredDecisionCausesAWarning(t *testing.T) {
	d := decision(namespace(t), "d")
	d.Spec.ExpiresAt = ptr.To(metav1.NewTime(time.Now().Add(-time.Hour)))
	warnings.messages = nil
	require.NoError(t, api.Create(t.Context(), d))
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "is in the past: the decision has no effect")
}

func TestDecisionForADisruptiveClassNeedsMaxUses(t *testing.T) {
	ns := namespace(t)
	bob := approver(t, ns, "bob")
	require.NoError(t, api.Create(t.Context(), plan(ns, "p")))
	harmless := plan(ns, "q")
	harmless.Spec.Disruption, harmless.Spec.ClassDigest = infrav1.PlanDisruptionNone, digest("c")
	require.NoError(t, api.Create(t.Context(), harmless))

	d := decision(ns, "d")
	d.Spec.Changes, d.Spec.Classes = nil, []string{digest("c"), digest("b")}
	err := bob.Create(t.Context(), d.DeepCopy())
	require.ErrorContains(t, err, "spec.maxUses: Required value: class "+digest("b")+" contains NutanixPlan p, whose disruption is PowerCycle")
	denied := d.DeepCopy()
	denied.Name, denied.Spec.Verdict = "denied", infrav1.PlanVerdictDenied
	require.NoError(t, bob.Create(t.Context(), denied), "a denial has no uses")
	assert.Nil(t, denied.Spec.MaxUses)
	unlimited := d.DeepCopy()
	unlimited.Name, unlimited.Spec.Classes = "unlimited", []string{digest("c"), digest("d")}
	require.NoError(t, bob.Create(t.Context(), unlimited), "a harmless class and one without plans")
	assert.Nil(t, unlimited.Spec.MaxUses)
	d.Spec.MaxUses = ptr.To[int32](12)
	require.NoError(t, bob.Create(t.Context(), d))
}

func TestDecisionCannotBeChanged(t *testing.T) {
	ns := namespace(t)
	bob := approver(t, ns, "bob")
	d := decision(ns, "d")
	d.Finalizers = []string{"infrastructure.cluster.x-k8s.io/audit", "example.com/other"}
	require.NoError(t, bob.Create(t.Context(), d))
	for name, change := range map[string]func(*infrav1.NutanixPlanDecisionSpec){
		"verdict": func(s *infrav1.NutanixPlanDecisionSpec) { s.Verdict = infrav1.PlanVerdictDenied },
		"changes": func(s *infrav1.NutanixPlanDecisionSpec) { s.Changes = append(s.Changes, digest("b")) },
		"expiry": func(s *infrav1.NutanixPlanDecisionSpec) {
			s.ExpiresAt = ptr.To(metav1.NewTime(s.ExpiresAt.Add(time.Hour)))
		},
		"uses": func(s *infrav1.NutanixPlanDecisionSpec) { s.MaxUses = ptr.To[int32](2) },
	} {
		changed := d.DeepCopy()
		change(&changed.Spec)
		assert.ErrorContains(t, bob.Update(t.Context(), changed), "spec is immutable: delete the decision and create another one", name)
	}

	used := d.DeepCopy()
	used.Status.Uses = []infrav1.PlanDecisionUse{{Target: "key", Digest: digest("a"), Plan: ns + "/p", At: metav1.Now()}}
	require.ErrorContains(t, bob.Status().Update(t.Context(), used.DeepCopy()), `only the manager, user "admin", writes the status`)
	require.NoError(t, api.Status().Update(t.Context(), used))
	unrecorded := used.DeepCopy()
	unrecorded.Finalizers = []string{"example.com/other"}
	require.ErrorContains(t, bob.Update(t.Context(), unrecorded), "finalizers of a decision: delete the decision to revoke it")
	used.Finalizers = append(used.Finalizers, "example.com/other")
	require.NoError(t, bob.Update(t.Context(), used), "the finalizer of another")

	require.NoError(t, bob.Delete(t.Context(), used), "revoked")
	used.Finalizers = nil
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	d.Finalizers = nil
	require.NoError(t, api.Update(t.Context(), d), "the manager removes its finalizer")
}

// TestDecisionWithoutTheMutatingWebhookIsRefused checks that the validating webhook does not rely on the mutating one. A selector excludes the
// decision from the mutating webhooks.
func TestDecisionWithoutTheMutatingWebhookIsRefused(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Name: "capnt-mutating-webhook-configuration"}, configuration))
	original := configuration.DeepCopy()
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mutated": "yes"}}
	}
	require.NoError(t, api.Update(t.Context(), configuration))
	d := decision(namespace(t), "d")
	d.Spec.DecidedBy = &infrav1.PlanDecider{Username: "mallory", At: metav1.Now()}
	d.Spec.ExpiresAt = ptr.To(metav1.NewTime(time.Now().Add(time.Hour)))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.ErrorContains(c, api.Create(t.Context(), d.DeepCopy(), client.DryRunAll), `spec.decidedBy is not user "admin"`)
	}, deadline, tick, "the API server uses the changed webhooks")

	original.ResourceVersion = configuration.ResourceVersion
	require.NoError(t, api.Update(t.Context(), original))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.NoError(c, api.Create(t.Context(), d.DeepCopy(), client.DryRunAll))
	}, deadline, tick, "the API server uses the restored webhooks")
}
