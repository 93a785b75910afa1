package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
)

// The watches carry a machine through its life without anybody's help: nothing here waits for a periodic reconcile.
func TestManagedMachine(t *testing.T) {
	w := newWorld(t)
	w.reconciler.HealthInterval = time.Hour
	w.NutanixMachine.Labels[clusterv1.WatchLabel] = "ours"
	w.reconciler.WatchFilterValue = "ours"
	w.Manage(config, w.reconciler, &w.reconciler.Dependencies)
	w.CreateMachine(w.Bed)
	w.Eventually("ready", func() bool { return !w.Gone(w.NutanixMachine) && w.NutanixMachine.Status.Ready })
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.Eventually("gone", func() bool { return w.Gone(w.NutanixMachine) })

	// The last reconciles may still be under way. They leave nothing behind.
	w.Eventually("no run", func() bool {
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
