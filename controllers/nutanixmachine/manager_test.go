package nutanixmachine

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
)

// manage runs the reconciler in a manager with a cache, for the namespace of the world.
func (w *world) manage() {
	w.T.Helper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: w.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{w.Namespace: {}}},
	})
	require.NoError(w.T, err)
	w.reconciler.Client, w.reconciler.Reader = mgr.GetClient(), mgr.GetAPIReader()
	w.reconciler.Prism = prism.NewResolver(mgr.GetClient(), prism.Options{})
	require.NoError(w.T, w.reconciler.SetupWithManager(w.T.Context(), mgr, controller.Options{MaxConcurrentReconciles: 2, SkipNameValidation: ptr.To(true)}))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	w.T.Cleanup(func() {
		cancel()
		assert.NoError(w.T, <-stopped)
	})
}

func (w *world) eventually(what string, condition func() bool) {
	w.T.Helper()
	require.Eventually(w.T, condition, controllertest.Deadline, 20*time.Millisecond, what)
}

// The watches carry a machine through its life without anybody's help: nothing here waits for a periodic reconcile.
func TestManagedMachine(t *testing.T) {
	w := newWorld(t)
	w.reconciler.HealthInterval = time.Hour
	w.NutanixMachine.Labels[clusterv1.WatchLabel] = "ours"
	w.reconciler.WatchFilterValue = "ours"
	w.manage()
	w.CreateMachine(w.Bed)
	w.eventually("ready", func() bool { return !w.Gone(w.NutanixMachine) && w.NutanixMachine.Status.Ready })
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.eventually("gone", func() bool { return w.Gone(w.NutanixMachine) })

	// The last reconciles may still be under way. They leave nothing behind.
	w.eventually("no run", func() bool {
		return !w.Pipeline.Pool.Running("NutanixMachine/" + w.Namespace + "/m/" + string(w.NutanixMachine.UID))
	})
	secrets := &corev1.SecretList{}
	require.NoError(t, api.List(t.Context(), secrets, client.InNamespace(w.Namespace), client.HasLabels{"tfstate"}))
	assert.Empty(t, secrets.Items)
	assert.Empty(t, w.Prism.VMs())
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
}

func TestMachinesOfCluster(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	other := controllertest.NewFixture(w.Bed).NutanixMachine
	other.Name, other.Labels = "of-another-cluster", map[string]string{clusterv1.ClusterNameLabel: "d"}
	w.Create(other)
	requests := w.reconciler.machinesOfCluster(t.Context(), w.NutanixCluster)
	require.Len(t, requests, 1)
	assert.Equal(t, "m", requests[0].Name)
	assert.Empty(t, w.reconciler.machinesOfCluster(t.Context(), &infrav1.NutanixCluster{}), "a cluster without an owner has no machines")
}

func TestWayToPrismChanged(t *testing.T) {
	cluster := func(change func(*infrav1.NutanixCluster)) *infrav1.NutanixCluster {
		made := &infrav1.NutanixCluster{Spec: infrav1.NutanixClusterSpec{PrismCentral: &infrav1.NutanixPrismEndpoint{Address: "a"}}}
		change(made)
		return made
	}
	same := cluster(func(*infrav1.NutanixCluster) {})
	tests := map[string]struct {
		after *infrav1.NutanixCluster
		want  bool
	}{
		"nothing":      {same, false},
		"its status":   {cluster(func(c *infrav1.NutanixCluster) { c.Status.Ready = true }), false},
		"its endpoint": {cluster(func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.Address = "b" }), true},
		"its credentials": {cluster(func(c *infrav1.NutanixCluster) {
			provisioning.Set(c, infrav1.CredentialsResolvedCondition, metav1.ConditionTrue, infrav1.CredentialsResolvedReason, "")
		}), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, wayToPrismChanged.Update(event.UpdateEvent{ObjectOld: same, ObjectNew: test.after}))
		})
	}
}
