package nutanixcluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/cluster-api/util/patch"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// milestones are the conditions that Ready summarises, in the order in which they are reached.
var milestones = conditions.ForConditionTypes{
	infrav1.CredentialsResolvedCondition,
	infrav1.TrustBundleResolvedCondition,
	infrav1.FailureDomainsValidatedCondition,
	infrav1.ControlPlaneEndpointSetCondition,
	infrav1.PlanRecordedCondition,
	infrav1.AppliedCondition,
}

// owned are all conditions that this controller writes.
var owned = append([]string{infrav1.ReadyCondition, infrav1.PausedCondition}, milestones...)

// patch writes the object once, with Ready as the summary of everything else.
func (s *scope) patch(ctx context.Context, helper *patch.Helper) error {
	if err := s.summarize(); err != nil {
		return err
	}
	s.nutanixCluster.Status.Ready = conditions.IsTrue(s.nutanixCluster, infrav1.ReadyCondition)
	err := helper.Patch(ctx, s.nutanixCluster, patch.WithOwnedConditions{Conditions: owned})
	if !s.nutanixCluster.DeletionTimestamp.IsZero() {
		err = kerrors.FilterOut(err, apierrors.IsNotFound) // without its finalizer it is gone
	}
	if err != nil {
		return fmt.Errorf("patching NutanixCluster: %w", err)
	}
	return nil
}

func (s *scope) summarize() error {
	if !s.nutanixCluster.DeletionTimestamp.IsZero() {
		message := conditions.GetMessage(s.nutanixCluster, infrav1.AppliedCondition)
		provisioning.Set(s.nutanixCluster, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason, message)
		return nil
	}
	if err := conditions.SetSummaryCondition(s.nutanixCluster, s.nutanixCluster, infrav1.ReadyCondition, milestones); err != nil {
		return fmt.Errorf("summarising conditions of NutanixCluster: %w", err)
	}
	return nil
}
