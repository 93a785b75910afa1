package provisioning

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/cluster-api/util/patch"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Patch writes an object once: its milestones, which are its conditions in the order in which they are reached, and Ready
// as their summary. ready is the object's status.ready.
func Patch(ctx context.Context, helper *patch.Helper, object Object, ready *bool, milestones []string) error {
	summarize(object, milestones)
	*ready = conditions.IsTrue(object, infrav1.ReadyCondition)
	owned := append([]string{infrav1.ReadyCondition, infrav1.PausedCondition}, milestones...)
	err := helper.Patch(ctx, object, patch.WithOwnedConditions{Conditions: owned})
	var several kerrors.Aggregate
	if !object.GetDeletionTimestamp().IsZero() && errors.As(err, &several) {
		err = kerrors.FilterOut(several, apierrors.IsNotFound) // without its finalizer it is gone
	}
	if err != nil {
		return fmt.Errorf("patching %T: %w", object, err)
	}
	return nil
}

// passing are the reasons of faults that pass by themselves, or that concern Terraform's next run alone. They stand in
// their own condition, but an object that is in sync stays Ready: Cluster API takes one that is not for unavailable, and an
// hour without Prism Central would make every machine so.
var passing = map[string]bool{
	infrav1.PrismUnreachableReason: true,
	infrav1.PlanFailedReason:       true,
	infrav1.ProviderFailedReason:   true,
	infrav1.StateLockedReason:      true,
}

// summarize makes Ready the first milestone that is not reached, in its own words: what a person has to look at next.
func summarize(object Object, milestones []string) {
	if !object.GetDeletionTimestamp().IsZero() {
		Set(object, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason, conditions.GetMessage(object, infrav1.AppliedCondition))
		return
	}
	for _, milestone := range milestones {
		condition := conditions.Get(object, milestone)
		switch {
		case condition == nil:
			Set(object, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.WaitingForInputsReason, milestone+" is not known yet")
			return
		case condition.Status != metav1.ConditionTrue && inSync(object) && passing[condition.Reason]:
		case condition.Status != metav1.ConditionTrue:
			message := milestone
			if condition.Message != "" {
				message += ": " + condition.Message
			}
			Set(object, infrav1.ReadyCondition, metav1.ConditionFalse, condition.Reason, message)
			return
		}
	}
	Set(object, infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.ProvisionedReason, "")
}
