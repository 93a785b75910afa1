package nutanixmachine

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
	infrav1.PreconditionsMetCondition,
	infrav1.InputsResolvedCondition,
	infrav1.PlanRecordedCondition,
	infrav1.AppliedCondition,
	infrav1.AddressesAssignedCondition,
}

// owned are all conditions that this controller writes.
var owned = append([]string{infrav1.ReadyCondition, infrav1.PausedCondition}, milestones...)

// patch writes the object once, with Ready as the summary of everything else.
func (s *scope) patch(ctx context.Context, helper *patch.Helper) error {
	if err := s.summarize(); err != nil {
		return err
	}
	s.nutanixMachine.Status.Ready = conditions.IsTrue(s.nutanixMachine, infrav1.ReadyCondition)
	err := helper.Patch(ctx, s.nutanixMachine, patch.WithOwnedConditions{Conditions: owned})
	if !s.nutanixMachine.DeletionTimestamp.IsZero() {
		err = kerrors.FilterOut(err, apierrors.IsNotFound) // without its finalizer it is gone
	}
	if err != nil {
		return fmt.Errorf("patching NutanixMachine: %w", err)
	}
	return nil
}

func (s *scope) summarize() error {
	if !s.nutanixMachine.DeletionTimestamp.IsZero() {
		message := conditions.GetMessage(s.nutanixMachine, infrav1.AppliedCondition)
		provisioning.Set(s.nutanixMachine, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason, message)
		return nil
	}
	if err := conditions.SetSummaryCondition(s.nutanixMachine, s.nutanixMachine, infrav1.ReadyCondition, milestones); err != nil {
		return fmt.Errorf("summarising conditions of NutanixMachine: %w", err)
	}
	return nil
}
