package nutanixcluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
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

// The watches carry a cluster through its life: nothing here waits for a periodic reconcile.
func TestManagedCluster(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Spec.PrismCentral.CredentialRef.Name = "c-creds"
	w.manage()
	w.CreateCluster(w.Bed)
	ready := func(want bool) func() bool {
		return func() bool { return !w.Gone(w.NutanixCluster) && w.NutanixCluster.Status.Ready == want }
	}
	w.eventually("ready", ready(true))

	w.ChangePassword(w.Bed, "a wrong one")
	w.eventually("a changed Secret is noticed", ready(false))
	w.requireFalse(infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason)
	w.ChangePassword(w.Bed, controllertest.Password)
	w.eventually("and a corrected one", ready(true))

	w.Create(w.NutanixMachine)
	require.NoError(t, api.Delete(t.Context(), w.NutanixCluster))
	require.NoError(t, api.Delete(t.Context(), w.Credentials))
	w.eventually("it waits for its machine", func() bool {
		return !w.Gone(w.NutanixCluster) && len(w.NutanixCluster.Status.Conditions) > 0 && w.NutanixCluster.Status.Conditions[0].Reason == infrav1.DeletingReason
	})
	w.Terraform.Runs()
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.eventually("gone", func() bool { return w.Gone(w.NutanixCluster) && w.Gone(w.Credentials) })
	assert.Empty(t, w.states())
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
}
