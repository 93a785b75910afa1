package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	capiflags "sigs.k8s.io/cluster-api/util/flags"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// leaderElectionID is the name of the leader election Lease.
const leaderElectionID = "controller-leader-election-capnt"

// labelState is the label that Terraform's kubernetes backend sets on the Secrets that contain states.
const labelState = "tfstate"

// restConfig returns the client configuration for the management cluster. Like kubectl, it uses the first of these that exists:
// --kubeconfig, KUBECONFIG, the service account of the pod, and .kube/config in the home directory.
func (o *options) restConfig() (*rest.Config, error) {
	found, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the management cluster: set --kubeconfig, or run in a pod with a service account: %w", err)
	}
	found.QPS, found.Burst = o.kubeQPS, o.kubeBurst
	found.UserAgent = "capnt-manager/" + buildVersion()
	return found, nil
}

// newScheme returns a scheme with all kinds that the controllers read or write.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(clusterv1.AddToScheme(scheme))
	utilruntime.Must(infrav1.AddToScheme(scheme))
	return scheme
}

// newManager creates a manager without controllers and webhooks.
func newManager(config *rest.Config, options *options) (ctrl.Manager, error) {
	tlsOptions, metrics, err := capiflags.GetManagerOptions(options.diagnostics)
	if err != nil {
		return nil, fmt.Errorf("reading --tls-min-version, --tls-cipher-suites and --tls-curve-preferences: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: newScheme(),
		// The shutdown of a priority queue can hang, and the next manager would wait for the Lease:
		// https://github.com/kubernetes-sigs/controller-runtime/issues/3538.
		Controller:                    ctrlconfig.Controller{UsePriorityQueue: new(false)},
		LeaderElection:                options.leaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       os.Getenv("POD_NAMESPACE"), // empty means the namespace of the pod's service account
		LeaderElectionResourceLock:    resourcelock.LeasesResourceLock,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &options.leaseDuration,
		RenewDeadline:                 &options.renewDeadline,
		RetryPeriod:                   &options.leaseRetry,
		HealthProbeBindAddress:        options.healthAddress,
		PprofBindAddress:              options.profilerAddress,
		Metrics:                       *metrics,
		GracefulShutdownTimeout:       &options.shutdownTimeout,
		Cache:                         cacheOptions(options.namespace, options.syncPeriod),
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&coordinationv1.Lease{}, &corev1.Pod{}}}},
		WebhookServer: webhook.NewServer(webhook.Options{
			Port:     options.webhookPort,
			CertDir:  options.webhookCertDir,
			CertName: options.webhookCertName,
			KeyName:  options.webhookKeyName,
			TLSOpts:  tlsOptions,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager (is the API server of --kubeconfig reachable, are --health-addr, --diagnostics-address and --profiler-address free; does --leader-elect have a POD_NAMESPACE?): %w", err)
	}
	return mgr, nil
}

// managerNamespace returns the namespace of the manager. It contains the key of the plans and the head of the audit trail.
func managerNamespace() string { return cmp.Or(os.Getenv("POD_NAMESPACE"), metav1.NamespaceDefault) }

// cacheOptions excludes objects from the cache that the controllers do not read through the cache: Terraform states, plan files, Helm releases,
// and the ConfigMap in each namespace that contains the cluster's root certificates.
func cacheOptions(namespace string, syncPeriod time.Duration) cache.Options {
	options := cache.Options{
		SyncPeriod:       &syncPeriod,
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {
				Label: labels.NewSelector().Add(notLabelled(labelState), notLabelled(infrav1.PlanFileLabel)),
				Field: fields.OneTermNotEqualSelector("type", "helm.sh/release.v1"),
			},
			&corev1.ConfigMap{}: {
				Field: fields.OneTermNotEqualSelector("metadata.name", "kube-root-ca.crt"),
			},
		},
	}
	if namespace != "" {
		options.DefaultNamespaces = map[string]cache.Config{namespace: {}}
		// The policies of the manager's namespace apply to all plans, and it contains the plans of objects in a namespace that is being deleted.
		both := cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}, managerNamespace(): {}}}
		for _, object := range []client.Object{&infrav1.NutanixPlan{}, &infrav1.NutanixPlanDecision{}, &infrav1.NutanixPlanPolicy{}} {
			options.ByObject[object] = both
		}
	}
	return options
}

func notLabelled(key string) labels.Requirement {
	requirement, err := labels.NewRequirement(key, selection.DoesNotExist, nil)
	utilruntime.Must(err)
	return *requirement
}
