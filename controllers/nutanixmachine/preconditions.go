package nutanixmachine

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/providerid"
)

// checkPreconditions waits for the cluster's infrastructure and for the bootstrap data, as the InfraMachine contract of
// Cluster API requires. A machine whose VM exists needs neither.
func (r *Reconciler) checkPreconditions(_ context.Context, s *scope) (ctrl.Result, error) {
	if s.nutanixCluster == nil {
		return s.stop(infrav1.PreconditionsMetCondition, missingCluster(s))
	}
	if _, exists := providerid.Parse(s.nutanixMachine.Spec.ProviderID); !exists {
		if !ptr.Deref(s.cluster.Status.Initialization.InfrastructureProvisioned, false) {
			return s.wait(infrav1.PreconditionsMetCondition, infrav1.WaitingForClusterInfrastructureReason,
				"the infrastructure of the cluster is not provisioned yet: see NutanixCluster "+s.nutanixCluster.Name)
		}
		if !bootsFromImage(s) && s.machine.Spec.Bootstrap.DataSecretName == nil {
			return s.waitForBootstrapData()
		}
	}
	provisioning.Set(s.nutanixMachine, infrav1.PreconditionsMetCondition, metav1.ConditionTrue, infrav1.PreconditionsMetReason, "")
	return ctrl.Result{}, nil
}

func missingCluster(s *scope) *provisioning.Problem {
	return &provisioning.Problem{Reason: infrav1.WaitingForClusterInfrastructureReason, Message: fmt.Sprintf(
		"NutanixCluster %s, which Cluster %s names, does not exist: create it", s.cluster.Spec.InfrastructureRef.Name, s.cluster.Name)}
}

func (s *scope) waitForBootstrapData() (ctrl.Result, error) {
	if !util.IsControlPlaneMachine(s.machine) && !ptr.Deref(s.cluster.Status.Initialization.ControlPlaneInitialized, false) {
		return s.wait(infrav1.PreconditionsMetCondition, infrav1.WaitingForControlPlaneInitializedReason,
			"the control plane of the cluster is not initialized yet")
	}
	return s.wait(infrav1.PreconditionsMetCondition, infrav1.WaitingForBootstrapDataReason,
		fmt.Sprintf("Machine %s has no bootstrap data yet", s.machine.Name))
}

// bootsFromImage reports whether the machine gets its bootstrap data from a CD-ROM image instead of a Secret.
func bootsFromImage(s *scope) bool {
	ref := s.nutanixMachine.Spec.BootstrapRef
	return ref != nil && ref.Kind == infrav1.NutanixMachineBootstrapRefKindImage
}

// bootstrapData reads the bootstrap data. Only the creation of the VM needs the data, so a missing Secret is not an
// error once the VM exists.
func (r *Reconciler) bootstrapData(ctx context.Context, s *scope) ([]byte, error) {
	name := s.machine.Spec.Bootstrap.DataSecretName
	if name == nil {
		return nil, nil
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: s.machine.Namespace, Name: *name}
	if err := r.Client.Get(ctx, key, secret); apierrors.IsNotFound(err) {
		if _, exists := providerid.Parse(s.nutanixMachine.Spec.ProviderID); exists {
			return nil, nil
		}
		return nil, &provisioning.Problem{Reason: infrav1.WaitingForBootstrapDataReason, Message: fmt.Sprintf(
			"bootstrap secret %s of Machine %s does not exist", key, s.machine.Name), Retry: true}
	} else if err != nil {
		return nil, fmt.Errorf("reading bootstrap secret %s: %w", key, err)
	}
	data, ok := secret.Data["value"]
	if !ok {
		return nil, &provisioning.Problem{Reason: infrav1.BootstrapDataInvalidReason, Message: fmt.Sprintf(
			"bootstrap secret %s has no key \"value\": the bootstrap provider has to write one", key)}
	}
	return data, nil
}
