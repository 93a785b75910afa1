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

// Patch patches the object with its milestones and with Ready, which summarizes the milestones. Milestones are the
// object's conditions in the order in which they are reached. ready points to the object's status.ready.
func Patch(ctx context.Context, helper *patch.Helper, object Object, ready *bool, milestones []string) error {
	summarize(object, milestones)
	*ready = conditions.IsTrue(object, infrav1.ReadyCondition)
	owned := append([]string{infrav1.ReadyCondition, infrav1.PausedCondition, infrav1.DecidedCondition,
		infrav1.PrismAPIMigratedCondition}, milestones...)
	err := helper.Patch(ctx, object, patch.WithOwnedConditions{Conditions: owned})
	var aggregate kerrors.Aggregate
	if !object.GetDeletionTimestamp().IsZero() && errors.As(err, &aggregate) {
		// The API server removes the object as soon as the patch removes its last finalizer.
		err = kerrors.FilterOut(aggregate, apierrors.IsNotFound)
	}
	if err != nil {
		return fmt.Errorf("patching %T: %w", object, err)
	}
	return nil
}

// passingReasons are the reasons of faults that disappear by themselves or concern only the next Terraform run. Such a
// fault is reported in its own condition, but an object that is in sync or whose plan waits stays Ready. Cluster API
// treats a machine that is not Ready as unavailable, and an outage of Prism Central must not make all machines
// unavailable.
var passingReasons = map[string]bool{
	infrav1.PrismUnreachableReason:     true,
	infrav1.PrismRequestRejectedReason: true,
	infrav1.PlanFailedReason:           true,
	infrav1.ProviderFailedReason:       true,
	infrav1.StateLockedReason:          true,
	infrav1.StateBackendFailedReason:   true,
	infrav1.LocalDiskFullReason:        true,
	infrav1.VMNotFoundReason:           true,
	infrav1.PrismAPIMismatchReason:     true,
	infrav1.PermissionDeniedReason:     true, // Prism Central may respond 403 or 404 to an account without the permission
}

// clusterReasons are the reasons of faults in the spec of the NutanixCluster or in the objects that it names. The
// NutanixCluster is not Ready then. Its machines that are in sync stay Ready, so that no MachineHealthCheck replaces them.
var clusterReasons = map[string]bool{
	infrav1.AuthenticationFailedReason:  true,
	infrav1.BackendConfigInvalidReason:  true,
	infrav1.BackendConfigNotFoundReason: true,
}

// passing reports whether an object that is in sync stays Ready in spite of a fault with this reason.
func passing(object Object, reason string) bool {
	_, isCluster := object.(*infrav1.NutanixCluster)
	return passingReasons[reason] || clusterReasons[reason] && !isCluster
}

// summarize writes Ready. The reason and message come from the first milestone that is False, even if an earlier
// milestone is Unknown or was never written, because a False milestone explains the problem. If no milestone is False,
// they come from the first milestone that is not True.
func summarize(object Object, milestones []string) {
	if !object.GetDeletionTimestamp().IsZero() {
		Set(object, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason, conditions.GetMessage(object, infrav1.AppliedCondition))
		return
	}
	var pending *metav1.Condition
	for _, milestone := range milestones {
		condition := conditions.Get(object, milestone)
		if condition == nil {
			condition = &metav1.Condition{Type: milestone, Status: metav1.ConditionUnknown, Reason: infrav1.WaitingForInputsReason, Message: "not known yet"}
		}
		if condition.Status == metav1.ConditionTrue || passing(object, condition.Reason) && inSyncOrWaiting(object) {
			continue
		}
		if condition.Status == metav1.ConditionFalse {
			pending = condition
			break
		}
		if pending == nil {
			pending = condition
		}
	}
	if pending == nil {
		Set(object, infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.ProvisionedReason, "")
		return
	}
	message := pending.Type
	if pending.Message != "" {
		message += ": " + pending.Message
	}
	Set(object, infrav1.ReadyCondition, metav1.ConditionFalse, pending.Reason, message)
}
