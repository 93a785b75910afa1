package nutanixcluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// testEnvironment contains a cluster and the objects around it. Tests call the reconciler themselves.
type testEnvironment struct {
	*controllertest.Environment
	*controllertest.Fixture
	reconciler *Reconciler
}

// newTestEnvironment returns a test environment whose objects do not exist in the API server yet. Tests run in
// parallel, each in its own namespace.
func newTestEnvironment(t *testing.T) *testEnvironment {
	t.Helper()
	t.Parallel()
	environment := controllertest.NewEnvironment(t, api)
	environment.Client = namespaced{environment.Client, environment.Namespace}
	return &testEnvironment{Environment: environment, Fixture: controllertest.NewFixture(environment), reconciler: &Reconciler{Dependencies: environment.Dependencies}}
}

// namespaced is a client that lists only one namespace. Clusters of other tests have the same name, so without this
// limit they would share the category value.
type namespaced struct {
	client.Client
	namespace string
}

func (n namespaced) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return n.Client.List(ctx, list, append(options, client.InNamespace(n.namespace))...)
}

// settle reconciles until the cluster no longer changes.
func (e *testEnvironment) settle() ctrl.Result {
	e.T.Helper()
	return e.Settle(e.reconciler, kind, e.NutanixCluster)
}

// running creates the cluster and reconciles it until it is ready.
func (e *testEnvironment) running() {
	e.T.Helper()
	e.CreateCluster(e.Environment)
	e.settle()
	require.True(e.T, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)
	e.Terraform.Runs()
	e.Prism.Requests()
}

func (e *testEnvironment) requireFalse(condition, reason string) {
	e.T.Helper()
	e.RequireFalse(e.NutanixCluster, condition, reason)
	assert.False(e.T, e.NutanixCluster.Status.Ready)
}

func (e *testEnvironment) delete() {
	e.T.Helper()
	require.NoError(e.T, api.Delete(e.T.Context(), e.NutanixCluster))
	e.settle()
}

func (e *testEnvironment) states() []corev1.Secret {
	e.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(e.T, api.List(e.T.Context(), secrets, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
	return secrets.Items
}

func mutate(e *testEnvironment, change func(*infrav1.NutanixCluster)) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixCluster, change)
}
