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

// Events alone trigger every reconcile that the machine needs. The test does not wait for a periodic reconcile.
func TestMachineUnderAManager(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.HealthInterval = time.Hour
	e.NutanixMachine.Labels[clusterv1.WatchLabel] = "ours"
	e.reconciler.WatchFilterValue = "ours"
	e.Manage(config, e.reconciler, &e.reconciler.Dependencies)
	e.CreateMachine(e.Environment)
	e.Eventually("ready", func() bool { return !e.Gone(e.NutanixMachine) && e.NutanixMachine.Status.Ready })
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.Eventually("gone", func() bool { return e.Gone(e.NutanixMachine) })

	// The last reconciles may still be under way. They must leave neither a run nor a state behind.
	e.Eventually("no run", func() bool {
		return !e.Pipeline.Scheduler.Running("NutanixMachine/" + e.Namespace + "/m/" + string(e.NutanixMachine.UID))
	})
	secrets := &corev1.SecretList{}
	require.NoError(t, api.List(t.Context(), secrets, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
	assert.Empty(t, secrets.Items)
	assert.Empty(t, e.Prism.VMs())
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
}

func TestMachinesOfCluster(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	other := controllertest.NewFixture(e.Environment).NutanixMachine
	other.Name, other.Labels = "of-another-cluster", map[string]string{clusterv1.ClusterNameLabel: "d"}
	e.Create(other)
	requests := e.reconciler.machinesOfCluster(t.Context(), e.NutanixCluster)
	require.Len(t, requests, 1)
	assert.Equal(t, "m", requests[0].Name)
	assert.Empty(t, e.reconciler.machinesOfCluster(t.Context(), &infrav1.NutanixCluster{}), "a cluster without an owner has no machines")
}

func TestPrismAccessChanged(t *testing.T) {
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
			assert.Equal(t, test.want, prismAccessChanged.Update(event.UpdateEvent{ObjectOld: same, ObjectNew: test.after}))
		})
	}
}
