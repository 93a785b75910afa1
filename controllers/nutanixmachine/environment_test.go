package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// testEnvironment is a machine with the objects around it. The test calls the reconciler.
type testEnvironment struct {
	*controllertest.Environment
	*controllertest.Fixture
	reconciler *Reconciler
}

// newTestEnvironment creates a cluster and no machine. Tests run in parallel, each in its own namespace.
func newTestEnvironment(t *testing.T) *testEnvironment {
	t.Helper()
	t.Parallel()
	environment := controllertest.NewEnvironment(t, api)
	e := &testEnvironment{Environment: environment, Fixture: controllertest.NewFixture(environment), reconciler: &Reconciler{Dependencies: environment.Dependencies}}
	e.CreateCluster(environment)
	return e
}

// settle reconciles until nothing changes any more.
func (e *testEnvironment) settle() ctrl.Result {
	e.T.Helper()
	return e.Settle(e.reconciler, kind, e.NutanixMachine)
}

// running creates the machine and reconciles it until it is ready.
func (e *testEnvironment) running() {
	e.T.Helper()
	e.CreateMachine(e.Environment)
	e.settle()
	require.True(e.T, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	e.Terraform.Runs()
	e.Prism.Requests()
}

// requireFalse requires a condition to be False with a reason, and the machine not to be ready.
func (e *testEnvironment) requireFalse(condition, reason string) {
	e.T.Helper()
	e.RequireFalse(e.NutanixMachine, condition, reason)
	assert.False(e.T, e.NutanixMachine.Status.Ready)
}

// delete deletes the machine and reconciles until it is gone.
func (e *testEnvironment) delete() {
	e.T.Helper()
	require.NoError(e.T, e.Client.Delete(e.T.Context(), e.NutanixMachine))
	e.settle()
}

func mutate(e *testEnvironment, change func(*infrav1.NutanixMachine)) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixMachine, change)
}
