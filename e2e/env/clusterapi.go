package env

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	controlplaneconversion "sigs.k8s.io/cluster-api/controlplane/kubeadm/webhooks/conversion"
	"sigs.k8s.io/cluster-api/core/setup"
	coreadmission "sigs.k8s.io/cluster-api/core/webhooks/admission"
	coreconversion "sigs.k8s.io/cluster-api/core/webhooks/conversion"
	"sigs.k8s.io/cluster-api/feature"
	"sigs.k8s.io/cluster-api/util/contract"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const (
	controllerName = "cluster-api"
	syncPeriod     = 10 * time.Minute
	clusterAPILog  = "cluster-api.log"
	// cacheSync is how long a controller waits until its caches are filled. After that, the controller fails.
	cacheSync = 10 * time.Minute
)

// clusterAPI runs all of Cluster API's controllers and webhooks in one manager.
type clusterAPI struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// startClusterAPI starts the controllers. It returns when their caches are filled and the webhooks are served.
func startClusterAPI(ctx context.Context, restConfig *rest.Config, scheme *runtime.Scheme, h *hooks, options Options) (*clusterAPI, error) {
	if err := feature.MutableGates.Set("ClusterTopology=true"); err != nil {
		return nil, fmt.Errorf("enabling ClusterTopology: %w", err)
	}
	// Zero removes the lower limit of the timeout, so that tests can use MachineHealthChecks with short delays.
	coreadmission.SetMinNodeStartupTimeoutSeconds(0)

	if err := output.open(filepath.Join(options.Dir, clusterAPILog)); err != nil {
		return nil, err
	}
	setLoggers()

	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &clusterAPI{cancel: cancel, done: make(chan struct{})}
	mgr, err := newManager(rest.CopyConfig(restConfig), scheme, h, options)
	if err == nil {
		err = setupManager(running, mgr)
	}
	if err != nil {
		cancel()
		output.close()
		return nil, fmt.Errorf("setting up Cluster API: %w", err)
	}
	go func() {
		defer close(c.done)
		c.err = mgr.Start(running)
	}()
	return c, c.waitReady(ctx, mgr)
}

func setupManager(ctx context.Context, mgr ctrl.Manager) error {
	workloads, err := setupControllers(ctx, mgr)
	if err != nil {
		return err
	}
	return setupAdmission(mgr, workloads)
}

// newManager returns one manager for all three providers. The manager of the core provider removes the data of Secrets
// from its cache. This manager does not, because the control-plane provider reads certificate authorities from Secrets.
func newManager(restConfig *rest.Config, scheme *runtime.Scheme, h *hooks, options Options) (ctrl.Manager, error) {
	cacheOptions := setup.ManagerCacheOptions(scheme, controllerName, options.WatchNamespace, syncPeriod)
	for object, by := range cacheOptions.ByObject {
		if _, ok := object.(*corev1.Secret); ok {
			by.Transform = cache.TransformStripManagedFields()
			cacheOptions.ByObject[object] = by
		}
	}
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme: scheme,
		Logger: klog.Background(),
		// Controller names must be unique within a process, but one process can start several environments one after the
		// other. The shutdown of a priority queue can hang.
		Controller:             config.Controller{SkipNameValidation: new(true), UsePriorityQueue: new(false), CacheSyncTimeout: cacheSync},
		Cache:                  cacheOptions,
		Client:                 setup.ManagerClientOptions(),
		HealthProbeBindAddress: "0",
		// Calls to workload clusters that no longer exist return only when they time out, so the shutdown takes a while.
		GracefulShutdownTimeout: ptr.To(stopGrace),
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		WebhookServer:           webhook.NewServer(webhook.Options{Host: host, Port: h.port, CertDir: h.dir}),
	})
}

func (c *clusterAPI) waitReady(ctx context.Context, mgr ctrl.Manager) error {
	started := mgr.GetWebhookServer().StartedChecker()
	ticker := time.NewTicker(readyProbe)
	defer ticker.Stop()
	for {
		if started(nil) == nil && mgr.GetCache().WaitForCacheSync(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Cluster API: %w", ctx.Err())
		case <-c.done:
			return fmt.Errorf("waiting for Cluster API: it ended: %w", c.err)
		case <-ticker.C:
		}
	}
}

func (c *clusterAPI) stop() error {
	c.cancel()
	<-c.done
	output.close()
	if c.err != nil {
		return fmt.Errorf("stopping Cluster API: %w", c.err)
	}
	return nil
}

// setAPIVersions sets the function with which the conversion webhooks look up the API version of a kind. Cluster API's
// own function is internal, so this one implements the rule in Cluster API's contract documentation. The CRD of the
// kind has a label for each version of the contract. The result is the newest API version in the label of the newest
// contract version.
func setAPIVersions(reader client.Reader) {
	lookup := func(ctx context.Context, gk schema.GroupKind) (string, error) {
		crd := &metav1.PartialObjectMetadata{}
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		if err := reader.Get(ctx, client.ObjectKey{Name: contract.CalculateCRDName(gk.Group, gk.Kind)}, crd); err != nil {
			return "", fmt.Errorf("looking for the CRD of %s: %w", gk, err)
		}
		for _, version := range []string{"v1beta2", "v1beta1"} {
			if newest := newestVersion(crd.Labels[clusterv1.GroupVersion.Group+"/"+version]); newest != "" {
				return schema.GroupVersion{Group: gk.Group, Version: newest}.String(), nil
			}
		}
		return "", fmt.Errorf("the CRD of %s has no contract label", gk)
	}
	coreconversion.SetAPIVersionGetter(lookup)
	controlplaneconversion.SetAPIVersionGetter(lookup)
}
