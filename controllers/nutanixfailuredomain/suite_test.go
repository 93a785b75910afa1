package nutanixfailuredomain

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// Timeout and interval with which the tests wait for the controller.
const (
	deadline = 2 * time.Minute
	tick     = 20 * time.Millisecond
)

var (
	// api is a client for the API server that the tests and the controller share.
	api client.Client
	// central replaces the Prism Centrals of all clusters.
	central = &double{failures: map[string]error{}}
)

func TestMain(m *testing.M) {
	apiserver.Main(apiserver.Options{CRDs: true}, func(environment *envtest.Environment) (int, error) {
		scheme, err := controllertest.NewScheme()
		if err != nil {
			return 1, err
		}
		mgr, err := ctrl.NewManager(environment.Config, ctrl.Options{
			Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: new(deadline),
			Controller: config.Controller{UsePriorityQueue: new(false)}, // as in the manager
		})
		if err != nil {
			return 1, fmt.Errorf("making the manager: %w", err)
		}
		return runTests(m, mgr)
	})
}

// runTests runs all tests while a manager runs the controller.
func runTests(m *testing.M, mgr ctrl.Manager) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reconciler := &Reconciler{
		Client:    mgr.GetClient(),
		Reader:    mgr.GetAPIReader(),
		Inventory: central.of,
		Recorder:  mgr.GetEventRecorder("capnt"),
	}
	if err := reconciler.SetupWithManager(ctx, mgr, controller.Options{}); err != nil {
		return 1, err
	}
	var err error
	if api, err = client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme()}); err != nil {
		return 1, fmt.Errorf("making the client: %w", err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	code := m.Run()
	cancel()
	return code, <-stopped
}

// double simulates one Prism Central for each namespace. Every look-up succeeds unless fail has set an error.
type double struct {
	mu       sync.Mutex
	failures map[string]error
}

// fail makes every look-up of an entity in a namespace return err. If err is nil, look-ups succeed again.
func (d *double) fail(namespace, entity string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures[namespace+"/"+entity] = err
}

func (d *double) of(_ context.Context, cluster *infrav1.NutanixCluster) (Inventory, error) {
	return inventory{double: d, namespace: cluster.Namespace}, nil
}

type inventory struct {
	double    *double
	namespace string
}

func (i inventory) lookUp(id infrav1.NutanixResourceIdentifier) (prism.Entity, error) {
	i.double.mu.Lock()
	defer i.double.mu.Unlock()
	return prism.Entity{UUID: "uuid-of-" + strings.TrimSpace(*id.Name), Name: *id.Name}, i.double.failures[i.namespace+"/"+*id.Name]
}

func (i inventory) PrismElement(_ context.Context, id infrav1.NutanixResourceIdentifier) (prism.Entity, error) {
	return i.lookUp(id)
}

func (i inventory) Subnet(_ context.Context, id infrav1.NutanixResourceIdentifier, _ string) (prism.Entity, error) {
	return i.lookUp(id)
}

// namespace creates a namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), ns))
	return ns.Name
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		require.NoError(t, api.Create(t.Context(), object), "creating %T %s", object, object.GetName())
	}
}
