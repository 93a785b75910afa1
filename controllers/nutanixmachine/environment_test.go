package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// testEnvironment contains a machine and the objects around it. Tests call the reconciler themselves.
type testEnvironment struct {
	*controllertest.Environment
	*controllertest.Fixture
	reconciler *Reconciler
}

// newTestEnvironment creates a cluster but no machine. Tests run in parallel, each in its own namespace.
func newTestEnvironment(t *testing.T) *testEnvironment {
	t.Helper()
	t.Parallel()
	return prepare(t)
}

// prepare creates a test environment with a cluster.
func prepare(t testing.TB) *testEnvironment {
	t.Helper()
	environment := controllertest.NewEnvironment(t, api)
	e := &testEnvironment{Environment: environment, Fixture: controllertest.NewFixture(environment), reconciler: &Reconciler{Dependencies: environment.Dependencies}}
	e.CreateCluster(environment)
	return e
}

// settle reconciles until the machine no longer changes.
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

// requireFalse requires the condition to be False with the reason. It also requires that the machine is not ready.
func (e *testEnvironment) requireFalse(condition, reason string) {
	e.T.Helper()
	e.RequireFalse(e.NutanixMachine, condition, reason)
	assert.False(e.T, e.NutanixMachine.Status.Ready)
}

// delete deletes the machine and reconciles until the object no longer exists.
func (e *testEnvironment) delete() {
	e.T.Helper()
	require.NoError(e.T, e.Client.Delete(e.T.Context(), e.NutanixMachine))
	e.settle()
}

func mutate(e *testEnvironment, change func(*infrav1.NutanixMachine)) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixMachine, change)
}
