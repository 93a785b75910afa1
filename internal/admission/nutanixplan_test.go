package admission_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// digest returns a digest that consists of one repeated hexadecimal digit.
func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

func plan(ns, name string) *infrav1.NutanixPlan {
	return &infrav1.NutanixPlan{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, Name: name, Labels: map[string]string{"infrastructure.cluster.x-k8s.io/target": "key"},
			Finalizers: []string{"infrastructure.cluster.x-k8s.io/plan"},
		},
		Spec: infrav1.NutanixPlanSpec{
			Target: infrav1.PlanTarget{Key: "key", Kind: "NutanixMachine", Namespace: ns, Name: "m"},
			Cause:  infrav1.PlanCauseDrift, Disruption: infrav1.PlanDisruptionPowerCycle,
			ChangeDigest: digest("a"), ClassDigest: digest("b"), Signature: "hmac-sha256:" + strings.Repeat("0", 64),
		},
	}
}

func TestOnlyTheManagerWritesPlans(t *testing.T) {
	ns := namespace(t)
	alice := as(t, ns, "alice")
	err := alice.Create(t.Context(), plan(ns, "forged"))
	require.ErrorContains(t, err, `nutanixplans.infrastructure.cluster.x-k8s.io "forged" is forbidden: only the manager, user "admin", creates plans`)
	require.ErrorContains(t, err, "change the object whose infrastructure should change")
	require.Error(t, alice.Create(t.Context(), plan(ns, "forged"), client.DryRunAll))

	p := plan(ns, "p")
	require.NoError(t, api.Create(t.Context(), p))
	p.Status.Phase = infrav1.PlanPhaseWaiting
	require.NoError(t, api.Status().Update(t.Context(), p))

	for name, change := range map[string]func(*infrav1.NutanixPlan){
		"label":            func(p *infrav1.NutanixPlan) { p.Labels["infrastructure.cluster.x-k8s.io/target"] = "other" },
		"label removed":    func(p *infrav1.NutanixPlan) { p.Labels = nil },
		"annotation added": func(p *infrav1.NutanixPlan) { p.Annotations = map[string]string{"cluster.x-k8s.io/paused": ""} },
		"finalizer":        func(p *infrav1.NutanixPlan) { p.Finalizers = nil },
	} {
		changed := p.DeepCopy()
		change(changed)
		err := alice.Update(t.Context(), changed)
		require.ErrorContains(t, err, `"p" is forbidden: only the manager, user "admin", writes the spec, the status`, name)
		require.ErrorContains(t, err, "create a NutanixPlanDecision for "+digest("a"), name)
	}
	harmless := p.DeepCopy()
	harmless.Spec.Disruption = infrav1.PlanDisruptionNone
	require.ErrorContains(t, alice.Update(t.Context(), harmless), "spec is immutable")
	approved := p.DeepCopy()
	approved.Status.Phase = infrav1.PlanPhaseApproved
	require.ErrorContains(t, alice.Status().Update(t.Context(), approved), "only the manager")
	merge := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"phase":"Approved"}}`))
	require.ErrorContains(t, alice.Status().Patch(t.Context(), p.DeepCopy(), merge), "only the manager")
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	assert.Equal(t, infrav1.PlanPhaseWaiting, p.Status.Phase)

	p.Annotations = map[string]string{"example.com/note": "seen"}
	require.NoError(t, alice.Update(t.Context(), p), "metadata of others")
	assert.Equal(t, infrav1.PlanPhaseWaiting, p.Status.Phase)
}

func TestAnyoneMayDeletePlans(t *testing.T) {
	ns := namespace(t)
	p := plan(ns, "p")
	p.Finalizers = nil
	require.NoError(t, api.Create(t.Context(), p))
	foreground := client.PropagationPolicy(metav1.DeletePropagationForeground)
	require.NoError(t, as(t, ns, "alice").Delete(t.Context(), p, foreground))
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	p.Finalizers = nil
	require.NoError(t, as(t, ns, "system:serviceaccount:kube-system:generic-garbage-collector").Update(t.Context(), p),
		"the garbage collector removes its finalizer")
	assert.Error(t, api.Get(t.Context(), client.ObjectKeyFromObject(p), p))
}

func TestPlanSpecIsImmutableForTheManager(t *testing.T) {
	p := plan(namespace(t), "p")
	require.NoError(t, api.Create(t.Context(), p))
	p.Spec.Disruption = infrav1.PlanDisruptionNone
	assert.ErrorContains(t, api.Update(t.Context(), p), "spec is immutable")
}
