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
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
)

// Reconciler is a reconciler that a manager can run.
type Reconciler interface {
	SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options) error
}

// Manage runs a reconciler in a manager until the test ends. The reconciler uses dependencies. The cache of the manager
// is limited to the namespace of the test.
func (e *Environment) Manage(config *rest.Config, reconciler Reconciler, dependencies *provisioning.Dependencies) {
	e.T.Helper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: e.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: ptr.To(Deadline),
		Controller: ctrlconfig.Controller{UsePriorityQueue: ptr.To(false)}, // as in the manager
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{e.Namespace: {}}},
	})
	require.NoError(e.T, err)
	dependencies.Client, dependencies.Reader = mgr.GetClient(), mgr.GetAPIReader()
	dependencies.Prism = prism.NewResolver(mgr.GetClient(), prism.Options{})
	require.NoError(e.T, reconciler.SetupWithManager(e.T.Context(), mgr, controller.Options{MaxConcurrentReconciles: 2, SkipNameValidation: ptr.To(true)}))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	e.T.Cleanup(func() {
		cancel()
		assert.NoError(e.T, <-stopped)
	})
}

// Eventually waits until condition returns true. condition may fail the test.
func (e *Environment) Eventually(what string, condition func() bool) {
	e.T.Helper()
	deadline := time.After(Deadline)
	for !condition() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			require.Fail(e.T, "the condition is not met in time", what)
		}
	}
}
