package controllertest

import (
	"context"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
)

// Reconciler is what a manager runs.
type Reconciler interface {
	SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options) error
}

// Manage runs a reconciler with those dependencies in a manager with a cache, for the namespace of the bed, until the test
// ends.
func (b *Bed) Manage(config *rest.Config, reconciler Reconciler, dependencies *provisioning.Dependencies) {
	b.T.Helper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: b.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: ptr.To(Deadline),
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{b.Namespace: {}}},
	})
	require.NoError(b.T, err)
	dependencies.Client, dependencies.Reader = mgr.GetClient(), mgr.GetAPIReader()
	dependencies.Prism = prism.NewResolver(mgr.GetClient(), prism.Options{})
	require.NoError(b.T, reconciler.SetupWithManager(b.T.Context(), mgr, controller.Options{MaxConcurrentReconciles: 2, SkipNameValidation: ptr.To(true)}))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	b.T.Cleanup(func() {
		cancel()
		assert.NoError(b.T, <-stopped)
	})
}

// Eventually waits for what happens beside the test. The condition may end the test.
func (b *Bed) Eventually(what string, condition func() bool) {
	b.T.Helper()
	late := time.After(Deadline)
	for !condition() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-late:
			require.Fail(b.T, "it does not happen", what)
		}
	}
}
