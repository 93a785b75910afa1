package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/nutanixcluster"
	"github.com/capnt/capnt/controllers/nutanixfailuredomain"
	"github.com/capnt/capnt/controllers/nutanixmachine"
	"github.com/capnt/capnt/controllers/nutanixmachinetemplate"
	"github.com/capnt/capnt/controllers/nutanixplan"
	"github.com/capnt/capnt/controllers/nutanixplandecision"
	"github.com/capnt/capnt/controllers/nutanixplanpolicy"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/admission"
)

// recorderName is the name of the reporting controller in events.
const recorderName = "capnt"

// setUp adds probes, webhooks and reconcilers to the manager.
func setUp(ctx context.Context, mgr ctrl.Manager, options *options, parts *parts) error {
	if err := setUpProbes(mgr); err != nil {
		return err
	}
	if err := admission.SetupWithManager(ctx, mgr); err != nil {
		return err
	}
	return setUpReconcilers(ctx, mgr, options, parts)
}

// setUpProbes adds health probes that succeed if the webhook server responds.
func setUpProbes(mgr ctrl.Manager) error {
	checker := mgr.GetWebhookServer().StartedChecker()
	if err := mgr.AddHealthzCheck("webhook", checker); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook", checker); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	return nil
}

// readInterval is how long the reconciles of a machine use the same read of its VM. A new machine is reconciled several times within a second.
const readInterval = 2 * time.Second

func setUpReconcilers(ctx context.Context, mgr ctrl.Manager, options *options, parts *parts) error {
	shared := provisioning.Dependencies{
		Client:           mgr.GetClient(),
		Reader:           mgr.GetAPIReader(),
		Prism:            parts.prism,
		Pipeline:         parts.pipeline,
		Recorder:         mgr.GetEventRecorder(recorderName),
		ProviderVersion:  options.providerVersion,
		ProviderVersions: parts.providerVersions,
		WatchFilterValue: options.watchFilter,
		ApprovalFloor:    options.approvalFloor,
		GitOps:           sets.New(options.gitOpsAccounts...),
		DriftInterval:    options.driftInterval,
		HealthInterval:   options.healthInterval,
		AbsencePeriod:    options.absencePeriod,
	}
	failureDomains := &nutanixfailuredomain.Reconciler{
		Client:           shared.Client,
		Reader:           shared.Reader,
		Inventory:        inventory(&shared),
		Recorder:         shared.Recorder,
		WatchFilterValue: options.watchFilter,
	}
	machines := &nutanixmachine.Reconciler{Dependencies: shared, ReadInterval: min(readInterval, options.healthInterval/2)}
	plans := &nutanixplan.Reconciler{Client: shared.Client, Plans: parts.pipeline.Plans, Clock: clock.RealClock{},
		Keep: options.planHistoryLimit, TTL: options.planRetention}
	decisions := &nutanixplandecision.Reconciler{Client: shared.Client, Trail: parts.pipeline.Plans.Trail, Revision: shared.Revision}
	templates := &nutanixmachinetemplate.Reconciler{Client: shared.Client, WatchFilterValue: options.watchFilter}
	for _, reconciler := range []struct {
		setUp       func(context.Context, ctrl.Manager, controller.Options) error
		concurrency int
	}{
		{(&nutanixcluster.Reconciler{Dependencies: shared}).SetupWithManager, options.concurrency.nutanixCluster},
		{machines.SetupWithManager, options.concurrency.nutanixMachine},
		{plans.SetupWithManager, options.concurrency.nutanixPlan},
		{decisions.SetupWithManager, 1},
		{templates.SetupWithManager, options.concurrency.nutanixMachineTemplate},
		{failureDomains.SetupWithManager, options.concurrency.nutanixFailureDomain},
		{(&nutanixplanpolicy.Reconciler{Client: shared.Client}).SetupWithManager, 1},
	} {
		if err := reconciler.setUp(ctx, mgr, controller.Options{MaxConcurrentReconciles: reconciler.concurrency}); err != nil {
			return err
		}
	}
	return nil
}

// inventory returns the function that returns an inventory for a cluster. The inventory queries the Prism Central of the cluster through the
// API of the cluster, also before the first run of the cluster.
func inventory(shared *provisioning.Dependencies) func(context.Context, *infrav1.NutanixCluster) (nutanixfailuredomain.Inventory, error) {
	return func(ctx context.Context, cluster *infrav1.NutanixCluster) (nutanixfailuredomain.Inventory, error) {
		access, _, err := shared.Connect(ctx, cluster, cluster.Labels[clusterv1.ClusterNameLabel])
		if err != nil {
			return nil, err
		}
		return access.Client, nil
	}
}
