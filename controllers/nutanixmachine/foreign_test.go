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

// Two management clusters with objects of equal names and one backend: to the second, the state may show the VM of the first.
func TestVMOfAnotherInstallation(t *testing.T) {
	v010 := func(w *world) {
		w.NutanixMachine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-second"}
	}
	tests := map[string]struct {
		first, second func(w *world)
		// reason is why the second machine gets no VM.
		reason string
	}{
		"new objects": {func(*world) {}, func(*world) {}, infrav1.VMNameConflictReason},
		"objects of v0.1.0, which share a state": {func(w *world) {
			w.NutanixMachine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-first"}
		}, v010, infrav1.VMBelongsToOtherReason},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.first(w)
			w.running()
			vm := w.vm()
			w.leave()

			w.NutanixMachine = controllertest.NewFixture(w.Bed).NutanixMachine
			test.second(w)
			w.NutanixMachine.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(w.Machine, clusterv1.GroupVersion.WithKind("Machine"))}
			w.Create(w.NutanixMachine)
			w.restart()
			w.settle()
			w.requireFalse(infrav1.AppliedCondition, test.reason)
			assert.NotContains(t, w.Terraform.Runs(), "apply")
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
			require.Equal(t, []controllertest.VM{vm}, w.Prism.VMs(), "the VM of the first is neither changed nor destroyed")
		})
	}
}

// leave takes the machine out of this API server without a deletion, as if it were in another one.
func (w *world) leave() {
	w.T.Helper()
	mutate(w, func(machine *infrav1.NutanixMachine) { machine.Finalizers = nil })
	require.NoError(w.T, api.Delete(w.T.Context(), w.NutanixMachine))
	require.True(w.T, w.Gone(w.NutanixMachine))
}
