package env

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/bootstrap/kubeadm/reconcilers/kubeadmconfig"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/controlplane/kubeadm/reconcilers/kubeadmcontrolplane"
	"sigs.k8s.io/cluster-api/core/reconcilers/cluster"
	"sigs.k8s.io/cluster-api/core/reconcilers/clusterclass"
	"sigs.k8s.io/cluster-api/core/reconcilers/clusterresourceset"
	"sigs.k8s.io/cluster-api/core/reconcilers/clusterresourcesetbinding"
	"sigs.k8s.io/cluster-api/core/reconcilers/machine"
	"sigs.k8s.io/cluster-api/core/reconcilers/machinedeployment"
	"sigs.k8s.io/cluster-api/core/reconcilers/machinehealthcheck"
	"sigs.k8s.io/cluster-api/core/reconcilers/machinepool"
	"sigs.k8s.io/cluster-api/core/reconcilers/machineset"
	topologycluster "sigs.k8s.io/cluster-api/core/reconcilers/topology/cluster"
	topologymachinedeployment "sigs.k8s.io/cluster-api/core/reconcilers/topology/machinedeployment"
	topologymachineset "sigs.k8s.io/cluster-api/core/reconcilers/topology/machineset"
	"sigs.k8s.io/cluster-api/core/setup"
	"sigs.k8s.io/cluster-api/util/index"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
)

// These values are the defaults of the flags of Cluster API's managers.
const (
	etcdDialTimeout       = 10 * time.Second
	etcdCallTimeout       = 15 * time.Second
	remoteConnectionGrace = 50 * time.Second
	remoteConditionsGrace = 5 * time.Minute
	tokenTTL              = 15 * time.Minute
	controlPlaneReconcile = 3 * time.Minute
	workloadQPS           = 20
	workloadBurst         = 30
	concurrency           = 10
	// connectionRetry is shorter than in production (30 s), so that Cluster API connects to a cluster soon after the first
	// control plane of the cluster has started. Cluster API has a setter for the interval, which is meant for tests.
	connectionRetry = 2 * time.Second
)

// setupControllers adds all reconcilers of the core, kubeadm bootstrap and kubeadm control plane providers.
func setupControllers(ctx context.Context, mgr ctrl.Manager) (clustercache.ClusterCache, error) {
	if err := index.AddDefaultIndexes(ctx, mgr); err != nil {
		return nil, fmt.Errorf("adding indexes: %w", err)
	}
	setAPIVersions(mgr.GetClient())
	secrets, err := setup.CreateSecretCachingClient(mgr)
	if err != nil {
		return nil, fmt.Errorf("making the client of Secrets: %w", err)
	}
	workloads, err := setupClusterCache(ctx, mgr, secrets)
	if err != nil {
		return nil, err
	}
	if err := setupCore(ctx, mgr, workloads); err != nil {
		return nil, err
	}
	if err := setupTopology(ctx, mgr, workloads); err != nil {
		return nil, err
	}
	return workloads, setupKubeadm(ctx, mgr, workloads, secrets)
}

// setupClusterCache sets up the cluster cache that all controllers share. The core and control-plane providers read
// some kinds without a cache. This cluster cache does the same for these kinds.
func setupClusterCache(ctx context.Context, mgr ctrl.Manager, secrets client.Client) (clustercache.ClusterCache, error) {
	clientOptions := setup.ClusterCacheClientOptions(controllerName, workloadQPS, workloadBurst)
	clientOptions.Cache.DisableFor = append(clientOptions.Cache.DisableFor, &appsv1.Deployment{})
	workloads, err := clustercache.SetupWithManager(ctx, mgr, clustercache.Options{
		SecretClient: secrets, Cache: setup.ClusterCacheCacheOptions(), Client: clientOptions,
	}, workers())
	if err != nil {
		return nil, fmt.Errorf("setting up the cluster cache: %w", err)
	}
	if test, ok := workloads.(interface{ SetConnectionCreationRetryInterval(time.Duration) }); ok {
		test.SetConnectionCreationRetryInterval(connectionRetry)
	}
	return workloads, nil
}

// step sets up one reconciler.
type step struct {
	name string
	err  error
}

func firstError(steps ...step) error {
	for _, s := range steps {
		if s.err != nil {
			return fmt.Errorf("setting up %s: %w", s.name, s.err)
		}
	}
	return nil
}

func setupCore(ctx context.Context, mgr ctrl.Manager, workloads clustercache.ClusterCache) error {
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	resources, err := metadataCache(mgr)
	if err != nil {
		return err
	}
	return firstError(
		step{"Cluster", (&cluster.Reconciler{
			Client: c, APIReader: live, ClusterCache: workloads, RemoteConnectionGracePeriod: remoteConnectionGrace,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"Machine", (&machine.Reconciler{
			Client: c, APIReader: live, ClusterCache: workloads, RemoteConditionsGracePeriod: remoteConditionsGrace,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"MachineSet", (&machineset.Reconciler{
			Client: c, APIReader: live, ClusterCache: workloads,
			PreflightChecks: sets.New(clusterv1.MachineSetPreflightCheckAll),
		}).SetupWithManager(ctx, mgr, workers())},
		step{"MachineDeployment", (&machinedeployment.Reconciler{Client: c, APIReader: live}).SetupWithManager(ctx, mgr, workers())},
		step{"MachinePool", (&machinepool.Reconciler{
			Client: c, APIReader: live, ClusterCache: workloads,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"MachineHealthCheck", (&machinehealthcheck.Reconciler{
			Client: c, ClusterCache: workloads,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"ClusterResourceSet", (&clusterresourceset.Reconciler{
			Client: c, ClusterCache: workloads,
		}).SetupWithManager(ctx, mgr, workers(), resources)},
		step{"ClusterResourceSetBinding", (&clusterresourcesetbinding.Reconciler{Client: c}).SetupWithManager(ctx, mgr, workers())},
	)
}

func setupTopology(ctx context.Context, mgr ctrl.Manager, workloads clustercache.ClusterCache) error {
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	return firstError(
		step{"ClusterClass", (&clusterclass.Reconciler{Client: c}).SetupWithManager(ctx, mgr, workers())},
		step{"topology of Cluster", (&topologycluster.Reconciler{
			Client: c, APIReader: live, ClusterCache: workloads,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"topology of MachineDeployment", (&topologymachinedeployment.Reconciler{
			Client: c, APIReader: live,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"topology of MachineSet", (&topologymachineset.Reconciler{
			Client: c, APIReader: live,
		}).SetupWithManager(ctx, mgr, workers())},
	)
}

func setupKubeadm(ctx context.Context, mgr ctrl.Manager, workloads clustercache.ClusterCache, secrets client.Client) error {
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	controlPlane := workers()
	controlPlane.ReconciliationTimeout = controlPlaneReconcile
	return firstError(
		step{"KubeadmConfig", (&kubeadmconfig.Reconciler{
			Client: c, SecretCachingClient: secrets, APIReader: live, ClusterCache: workloads, TokenTTL: tokenTTL,
		}).SetupWithManager(ctx, mgr, workers())},
		step{"KubeadmControlPlane", (&kubeadmcontrolplane.Reconciler{
			Client: c, APIReader: live, SecretCachingClient: secrets, ClusterCache: workloads,
			EtcdDialTimeout: etcdDialTimeout, EtcdCallTimeout: etcdCallTimeout, EtcdLogger: zap.NewNop(),
			RemoteConditionsGracePeriod: remoteConditionsGrace,
		}).SetupWithManager(ctx, mgr, controlPlane)},
	)
}

// metadataCache returns a cache for the controller for ClusterResourceSets. The cache stores only the metadata of
// Secrets.
func metadataCache(mgr ctrl.Manager) (cache.Cache, error) {
	made, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return nil, fmt.Errorf("making the cache of Secret metadata: %w", err)
	}
	return made, mgr.Add(made)
}

func workers() controller.Options {
	return controller.Options{MaxConcurrentReconciles: concurrency}
}

// newestVersion returns the newest of the API versions in the value of a contract label. In the value, the versions are
// separated by underscores.
func newestVersion(label string) string {
	if label == "" {
		return ""
	}
	return slices.MaxFunc(strings.Split(label, "_"), apimachineryversion.CompareKubeAwareVersionStrings)
}
