package policy

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// SetReady writes the Ready condition of a policy. An evaluation of the present generation that failed stays visible until somebody
// changes the policy, because only a change can correct it.
func SetReady(policy *infrav1.NutanixPlanPolicy) {
	ready := metav1.Condition{
		Type: infrav1.ReadyCondition, Status: metav1.ConditionTrue,
		Reason: infrav1.ExpressionsValidReason, ObservedGeneration: policy.Generation,
	}
	if errs := ValidateStored(policy); len(errs) > 0 {
		ready.Status, ready.Reason = metav1.ConditionFalse, infrav1.ExpressionInvalidReason
		ready.Message = plain("the policy denies all plans that it matches: " + errs.ToAggregate().Error())
	} else if known := conditions.Get(policy, infrav1.ReadyCondition); known != nil &&
		known.Reason == infrav1.EvaluationFailedReason && known.ObservedGeneration == policy.Generation {
		return
	}
	conditions.Set(policy, ready)
}

// Report writes the Ready condition of the policies of which a rule could not be evaluated for the plan.
func Report(ctx context.Context, writer client.Client, plan *infrav1.NutanixPlan, policies []infrav1.NutanixPlanPolicy, findings []Finding) error {
	for i := range policies {
		policy := policies[i].DeepCopy()
		finding := firstFailure(policy, findings)
		known := conditions.Get(policy, infrav1.ReadyCondition)
		if finding == nil || conditions.IsFalse(policy, infrav1.ReadyCondition) && known.ObservedGeneration == policy.Generation {
			continue // the policy has no problem, or shows one already
		}
		before := client.MergeFrom(policy.DeepCopy())
		conditions.Set(policy, metav1.Condition{
			Type: infrav1.ReadyCondition, Status: metav1.ConditionFalse,
			Reason: infrav1.EvaluationFailedReason, ObservedGeneration: policy.Generation,
			Message: plain(fmt.Sprintf("NutanixPlan %s/%s: %s", plan.Namespace, plan.Name, finding.Message)),
		})
		if err := writer.Status().Patch(ctx, policy, before); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("writing the Ready condition of NutanixPlanPolicy %s/%s: %w", policy.Namespace, policy.Name, err)
		}
	}
	return nil
}

func firstFailure(policy *infrav1.NutanixPlanPolicy, findings []Finding) *Finding {
	for i := range findings {
		if findings[i].Err != nil && findings[i].Policy == policy.Namespace+"/"+policy.Name {
			return &findings[i]
		}
	}
	return nil
}
