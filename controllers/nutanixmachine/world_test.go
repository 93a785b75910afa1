package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// world is one machine with everything around it, reconciled by hand.
type world struct {
	*controllertest.Bed
	*controllertest.Fixture
	reconciler *Reconciler
}

// newWorld has a cluster and no machine yet. Tests run side by side, each in a namespace of its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	bed := controllertest.NewBed(t, api)
	w := &world{Bed: bed, Fixture: controllertest.NewFixture(bed), reconciler: &Reconciler{Dependencies: bed.Dependencies}}
	w.CreateCluster(bed)
	return w
}

// settle reconciles until nothing happens any more.
func (w *world) settle() ctrl.Result {
	w.T.Helper()
	return w.Settle(w.reconciler, kind, w.NutanixMachine)
}

// running creates the machine and brings it up.
func (w *world) running() {
	w.T.Helper()
	w.CreateMachine(w.Bed)
	w.settle()
	require.True(w.T, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	w.Terraform.Runs()
	w.Prism.Requests()
}

// requireFalse looks for a condition that is False for a reason.
func (w *world) requireFalse(condition, reason string) {
	w.T.Helper()
	w.RequireFalse(w.NutanixMachine, condition, reason)
	assert.False(w.T, w.NutanixMachine.Status.Ready)
}

// delete deletes the machine and reconciles until it is gone.
func (w *world) delete() {
	w.T.Helper()
	require.NoError(w.T, w.Client.Delete(w.T.Context(), w.NutanixMachine))
	w.settle()
}

func mutate(w *world, change func(*infrav1.NutanixMachine)) {
	w.T.Helper()
	controllertest.Change(w.Bed, w.NutanixMachine, change)
}
