package nutanixcluster

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

type accessToPrism = prism.Access

// provision runs the next step for the cluster's workspace. The workspace contains the category of the cluster's
// machines.
func (r *Reconciler) provision(ctx context.Context, s *scope) (ctrl.Result, error) {
	target, err := r.target(ctx, s)
	if err != nil && infrav1.MigratingPrismAPI(s.nutanixCluster) != "" {
		key := lifecycle.Target{Object: s.nutanixCluster, Kind: kind}.Key()
		return ctrl.Result{}, r.RefuseMigration(ctx, &r.migrations, s.nutanixCluster, key, err)
	}
	if err != nil {
		return s.stop(infrav1.PlanRecordedCondition, provisioning.Diagnose(err))
	}
	api := provisioning.RecordedAPI(s.nutanixCluster)
	if err := r.EnsureWorkspaceKey(ctx, kind, s.nutanixCluster, api, target.ProviderVersion); err != nil {
		return ctrl.Result{}, err
	}
	if s.recordAntiAffinity() {
		s.unfinished = true // the update of the object triggers the next reconcile
		return ctrl.Result{}, nil
	}
	if observation, err := target.Hooks.Observe(ctx, ""); err == nil {
		target.Observation = &observation
	}
	r.warnOfReadableStates(s.nutanixCluster, target.Backend)
	result := r.Pipeline.Step(ctx, target)
	r.Publish(s.nutanixCluster, &s.nutanixCluster.Status.Terraform, result)
	if err := r.EndMigration(ctx, &r.migrations, s.nutanixCluster, s.nutanixCluster.Status.Terraform, target.Key(), result); err != nil {
		return ctrl.Result{}, err
	}
	s.unfinished = result.State != lifecycle.InSync
	s.untilCheck = r.Pipeline.UntilCheck(target)
	if target.CheckInterval > 0 {
		s.untilCheck = min(s.untilCheck, target.CheckInterval)
	}
	return ctrl.Result{RequeueAfter: result.RetryAfter}, s.publishControlPlane(ctx, result)
}

// warnOfReadableStates sends a warning event if the states of the cluster and its machines contain secrets in clear text.
// An annotation records the event, so that it is sent once for each type of backend.
func (r *Reconciler) warnOfReadableStates(cluster *infrav1.NutanixCluster, backend lifecycle.Backend) {
	if !backend.Readable() || cluster.Annotations[infrav1.ReadableStatesAnnotation] == backend.Type {
		return
	}
	metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, infrav1.ReadableStatesAnnotation, backend.Type)
	r.Event(cluster, lifecycle.Event{Type: corev1.EventTypeWarning, Reason: infrav1.StatesReadableReason, Action: "Plan", Message: fmt.Sprintf(
		"The Terraform states in backend %s contain the bootstrap data of the machines in clear text, for control plane machines "+
			"the keys of the cluster's certificate authorities: restrict who can read them, let the backend encrypt them, "+
			"or use OpenTofu with TF_ENCRYPTION in the Secret of spec.terraform.backend.configSecretRef", backend.Type)})
}

func (r *Reconciler) target(ctx context.Context, s *scope) (lifecycle.Target, error) {
	settings, backend, err := r.Settings(ctx, s.nutanixCluster, kind, s.nutanixCluster)
	if err != nil {
		return lifecycle.Target{}, err
	}
	inputs := clusterInputs(s.cluster.Name)
	if inputs.ControlPlane, err = r.gatherControlPlane(ctx, s, settings); err != nil {
		return lifecycle.Target{}, err
	}
	s.controlPlane = inputs.ControlPlane
	workspace, err := renderer.RenderCluster(settings, inputs)
	if err != nil {
		return lifecycle.Target{}, fmt.Errorf("rendering workspace: %w", err)
	}
	shared, err := r.shared(ctx, s)
	if err != nil {
		return lifecycle.Target{}, err
	}
	object := s.nutanixCluster.DeepCopy()
	target := lifecycle.Target{
		Object: object,
		Kind:   kind,
		Desired: lifecycle.Desired{
			Workspace:       workspace,
			ProviderVersion: settings.ProviderVersion,
			Backend:         backend,
			Upstream:        s.access.Upstream,
			Shared:          shared,
			CheckInterval:   r.CheckInterval(s.nutanixCluster),
			Approval:        r.Approval(s.nutanixCluster, nil),
			Origin:          r.ClusterOrigin(s.cluster, s.nutanixCluster),
		},
		Remembered: provisioning.Remembered(s.nutanixCluster, s.nutanixCluster.Status.Terraform),
		Hooks: lifecycle.Hooks{
			Observe:  s.observer().observe,
			Revision: func(ctx context.Context) string { return r.Revision(ctx, object) },
		},
	}
	if settings.API == renderer.APIV4 {
		category := identity{s.access.Client, infrav1.CategoryKey, s.cluster.Name}
		target.Parts = s.parts(inputs.ControlPlane)
		target.Resource, target.Hooks.Identify, target.Hooks.Healthy = renderer.CategoryAddressV4, category.identify, category.exists
	}
	s.setMigration(&target, settings.API)
	return target, nil
}

// observer reads the category of a cluster.
type observer struct {
	client *prism.Client
	value  string
	// controlPlane is the category of the control plane, or nil.
	controlPlane *identity
}

func (s *scope) observer() observer {
	found := observer{client: s.access.Client, value: s.cluster.Name}
	if s.controlPlane != nil {
		found.controlPlane = &identity{s.access.Client, s.controlPlane.CategoryKey, s.controlPlane.CategoryValue}
	}
	return found
}

// observe implements lifecycle.Hooks.Observe. As long as the categories and the policy stay the same, there is nothing to plan.
func (o observer) observe(ctx context.Context, _ string) (lifecycle.Observation, error) {
	found, err := o.client.Category(ctx, infrav1.CategoryKey, o.value)
	if err != nil || found == nil {
		return lifecycle.Observation{}, err
	}
	digest := strings.TrimSpace("category " + infrav1.CategoryKey + "=" + o.value + " " + found.UUID)
	if o.controlPlane != nil {
		policies, err := o.controlPlane.describePolicies(ctx)
		if err != nil {
			return lifecycle.Observation{}, err
		}
		digest += policies
	}
	return lifecycle.Observation{Digest: digest}, nil
}

// publish reports to Cluster API that the infrastructure of the cluster is complete.
func (r *Reconciler) publish(_ context.Context, s *scope) (ctrl.Result, error) {
	s.nutanixCluster.Status.Initialization.Provisioned = ptr.To(true)
	return ctrl.Result{}, nil
}
