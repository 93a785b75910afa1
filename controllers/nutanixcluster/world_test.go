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

// world is one cluster with everything around it, reconciled by hand.
type world struct {
	*controllertest.Bed
	*controllertest.Fixture
	reconciler *Reconciler
}

// newWorld has nothing in its API server yet. Tests run side by side, each in a namespace of its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	bed := controllertest.NewBed(t, api)
	bed.Client = namespaced{bed.Client, bed.Namespace}
	return &world{Bed: bed, Fixture: controllertest.NewFixture(bed), reconciler: &Reconciler{Dependencies: bed.Dependencies}}
}

// namespaced lists one namespace: clusters of the other tests have the same name, which would make them share a category.
type namespaced struct {
	client.Client
	namespace string
}

func (n namespaced) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return n.Client.List(ctx, list, append(options, client.InNamespace(n.namespace))...)
}

// settle reconciles until nothing happens any more.
func (w *world) settle() ctrl.Result {
	w.T.Helper()
	return w.Settle(w.reconciler, kind, w.NutanixCluster)
}

// running creates the cluster and brings it up.
func (w *world) running() {
	w.T.Helper()
	w.CreateCluster(w.Bed)
	w.settle()
	require.True(w.T, w.NutanixCluster.Status.Ready, "%+v", w.NutanixCluster.Status.Conditions)
	w.Terraform.Runs()
	w.Prism.Requests()
}

func (w *world) requireFalse(condition, reason string) {
	w.T.Helper()
	w.RequireFalse(w.NutanixCluster, condition, reason)
	assert.False(w.T, w.NutanixCluster.Status.Ready)
}

func (w *world) delete() {
	w.T.Helper()
	require.NoError(w.T, api.Delete(w.T.Context(), w.NutanixCluster))
	w.settle()
}

func (w *world) states() []corev1.Secret {
	w.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(w.T, api.List(w.T.Context(), secrets, client.InNamespace(w.Namespace), client.HasLabels{"tfstate"}))
	return secrets.Items
}

func mutate(w *world, change func(*infrav1.NutanixCluster)) {
	w.T.Helper()
	controllertest.Change(w.Bed, w.NutanixCluster, change)
}
