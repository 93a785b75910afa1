package nutanixcluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// connect connects to Prism Central through the API of the cluster and checks that it accepts the credentials. It chooses the API of a
// cluster that has none yet.
func (r *Reconciler) connect(ctx context.Context, s *scope) error {
	access, choice, err := r.Connect(ctx, s.nutanixCluster, s.cluster.Name)
	if err != nil {
		return err
	}
	s.access, s.choice = access, choice
	return access.Client.Ping(ctx)
}

// record records the chosen API together with the workspace key and the version of the provider, before the first run. From then on, all
// objects of the cluster keep the API. A cluster whose settings are incomplete gets no key, so that its deletion needs none of them.
func (r *Reconciler) record(ctx context.Context, s *scope) (ctrl.Result, error) {
	if r.HasWorkspaceKey(s.nutanixCluster) {
		return ctrl.Result{}, nil
	}
	chosen := provisioning.WithAPI(s.nutanixCluster, s.choice.API)
	settings, _, err := r.Settings(ctx, chosen, kind, chosen)
	if err != nil {
		return s.stop(infrav1.PlanRecordedCondition, provisioning.Diagnose(err))
	}
	if err := r.EnsureWorkspaceKey(ctx, kind, s.nutanixCluster, settings.API, settings.ProviderVersion); err != nil {
		return ctrl.Result{}, err
	}
	r.announce(s.nutanixCluster, s.choice)
	return ctrl.Result{}, nil
}

// announce sends an event about a new choice. The event is a warning if another choice would have been better.
func (r *Reconciler) announce(cluster *infrav1.NutanixCluster, choice provisioning.APIChoice) {
	if choice.Reason == "" {
		return
	}
	event := lifecycle.Event{Type: corev1.EventTypeNormal, Reason: infrav1.PrismAPIChosenReason, Action: "Choose"}
	if choice.Avoidable {
		event.Type = corev1.EventTypeWarning
	}
	generation := prism.V3
	if choice.API == renderer.APIV4 {
		generation = prism.V4
	}
	event.Message = fmt.Sprintf("The cluster and its machines use the %s API of Prism Central: %s", generation, choice.Reason)
	r.Event(cluster, event)
}
