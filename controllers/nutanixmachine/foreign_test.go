package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// If two management clusters use one state backend and contain objects with the same name, the state of the second
// object may contain the VM of the first object.
func TestVMOfAnotherInstallationIsNotChanged(t *testing.T) {
	v010 := func(e *testEnvironment) {
		e.NutanixMachine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-second"}
	}
	tests := map[string]struct {
		first, second func(e *testEnvironment)
		// reason is the condition reason that explains why the second machine gets no VM.
		reason string
	}{
		"new objects": {func(*testEnvironment) {}, func(*testEnvironment) {}, infrav1.VMNameConflictReason},
		"objects of v0.1.0, which share a state": {func(e *testEnvironment) {
			e.NutanixMachine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-first"}
		}, v010, infrav1.VMBelongsToOtherReason},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			test.first(e)
			e.running()
			vm := e.vm()
			e.leave()

			e.NutanixMachine = controllertest.NewFixture(e.Environment).NutanixMachine
			test.second(e)
			e.NutanixMachine.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(e.Machine, clusterv1.GroupVersion.WithKind("Machine"))}
			e.Create(e.NutanixMachine)
			e.restart()
			e.settle()
			e.requireFalse(infrav1.AppliedCondition, test.reason)
			assert.NotContains(t, e.Terraform.Runs(), "apply")
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
			require.Equal(t, []controllertest.VM{vm}, e.Prism.VMs(), "the VM of the first is neither changed nor destroyed")
		})
	}
}

// leave deletes the NutanixMachine after removing its finalizer, so that the VM and the Terraform state stay. For this
// API server, the machine then exists only in another management cluster.
func (e *testEnvironment) leave() {
	e.T.Helper()
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Finalizers = nil })
	require.NoError(e.T, api.Delete(e.T.Context(), e.NutanixMachine))
	require.True(e.T, e.Gone(e.NutanixMachine))
}

// A VM whose description comes to identify another object is reported at once, without a run.
func TestVMThatIsMarkedForAnotherObjectIsReported(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.Description = markPrefix + "another-key, NutanixMachine ns/other" })
	e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMBelongsToOtherReason)
	assert.Empty(t, e.Terraform.Runs())
}
