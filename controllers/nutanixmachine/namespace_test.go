package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/state"
)

// deleteNamespace deletes the namespace and the objects in it that the machine depends on, like the namespace controller. No namespace
// controller runs here, so the namespace stays. The credentials stay because the NutanixCluster protects them.
func (e *testEnvironment) deleteNamespace() {
	e.T.Helper()
	require.NoError(e.T, api.Delete(e.T.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}))
	for _, kind := range []client.Object{&corev1.Secret{}, &coordinationv1.Lease{}} {
		require.NoError(e.T, api.DeleteAllOf(e.T.Context(), kind, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
	}
	for _, object := range []client.Object{e.Bootstrap, e.Machine} {
		require.NoError(e.T, api.Delete(e.T.Context(), object))
	}
}

// removeState deletes the state and its lock by force, like a person who removes finalizers.
func (e *testEnvironment) removeState() {
	e.T.Helper()
	leases := &coordinationv1.LeaseList{}
	require.NoError(e.T, api.List(e.T.Context(), leases, client.InNamespace(e.Namespace)))
	require.Len(e.T, leases.Items, 1)
	require.Len(e.T, e.states(), 1)
	for _, object := range []client.Object{&e.states()[0], &leases.Items[0]} {
		require.Equal(e.T, []string{state.Finalizer}, object.GetFinalizers())
		object.SetFinalizers(nil)
		require.NoError(e.T, api.Update(e.T.Context(), object))
		require.NoError(e.T, client.IgnoreNotFound(api.Delete(e.T.Context(), object)))
	}
}

func TestVMIsDestroyedWithItsNamespace(t *testing.T) {
	none := func(*testEnvironment) {}
	tests := map[string]struct{ before, after func(e *testEnvironment) }{
		"with its state":                       {none, none},
		"with its state, after a restart":      {none, (*testEnvironment).restart},
		"and somebody has removed the state":   {(*testEnvironment).removeState, none},
		"and somebody removes the state":       {none, (*testEnvironment).removeState},
		"without state after a restart":        {(*testEnvironment).removeState, (*testEnvironment).restart},
		"and the Cluster is deleted before it": {none, func(e *testEnvironment) { require.NoError(e.T, api.Delete(e.T.Context(), e.Cluster)) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(bystander)
			e.running()
			test.before(e)
			e.deleteNamespace()
			test.after(e)
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
			assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
			assert.Empty(t, e.states(), "the state is released")
		})
	}
}

// The response to the create request is lost, so the state does not contain the VM. Then the state is deleted, too.
func TestVMOfAnOpenCreateIsDestroyedWithItsNamespace(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.FailCreates(controllertest.CreateRepliesLost)
	e.Prism.Lag(true)
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
	require.Len(t, e.Prism.VMs(), 1)
	e.removeState()
	e.deleteNamespace()
	e.restart()
	e.delete()
	require.False(t, e.Gone(e.NutanixMachine), "what came of the create is not known")
	e.Prism.Lag(false)
	e.pass(2 * e.reconciler.absencePeriod())
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Empty(t, e.Prism.VMs())
}

// A machine whose namespace is deleted is not created: its state could not be stored.
func TestNothingIsCreatedInADeletedNamespace(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	require.NoError(t, api.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}))
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.PlanFailedReason)
	assert.Empty(t, e.Prism.VMs())
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
}

// The deletion of a namespace may delete a NutanixMachine before its Cluster. The cache may not know the deletion of the namespace yet.
func TestVMIsRetained_WhenItsNamespaceIsDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	stale := &corev1.Namespace{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Name: e.Namespace}, stale))
	e.reconciler.Client = controllertest.Stale[*corev1.Namespace]{Client: e.reconciler.Client, Object: stale}
	e.deleteNamespace()
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Len(t, e.Prism.VMs(), 1)
	assert.Empty(t, e.states(), "the state is released")
	assert.Empty(t, e.exports())
}
