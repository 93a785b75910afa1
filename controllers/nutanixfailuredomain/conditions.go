package nutanixfailuredomain

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/cluster-api/util/patch"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// owned are the conditions that this controller writes.
var owned = []string{
	infrav1.ReadyCondition,
	infrav1.PausedCondition,
	infrav1.FailureDomainValidCondition,
	infrav1.SafeForDeletionCondition,
}

// patchDomain patches the object once, after it has set the Ready condition.
func patchDomain(ctx context.Context, helper *patch.Helper, domain *infrav1.NutanixFailureDomain) error {
	summarize(domain)
	if err := helper.Patch(ctx, domain, patch.WithOwnedConditions{Conditions: owned}); err != nil {
		return fmt.Errorf("patching NutanixFailureDomain %s/%s: %w", domain.Namespace, domain.Name, err)
	}
	return nil
}

// summarize writes the Ready condition. Ready equals Valid unless the failure domain is being deleted.
func summarize(domain *infrav1.NutanixFailureDomain) {
	if !domain.DeletionTimestamp.IsZero() {
		message := conditions.GetMessage(domain, infrav1.SafeForDeletionCondition)
		provisioning.Set(domain, infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason, message)
		return
	}
	if valid := conditions.Get(domain, infrav1.FailureDomainValidCondition); valid != nil {
		provisioning.Set(domain, infrav1.ReadyCondition, valid.Status, valid.Reason, valid.Message)
	}
}
