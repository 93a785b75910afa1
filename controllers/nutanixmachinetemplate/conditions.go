package nutanixmachinetemplate

import (
	"context"
	"fmt"

	"sigs.k8s.io/cluster-api/util/patch"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// owned are the conditions that this controller writes. A template has no Ready condition.
var owned = []string{infrav1.PausedCondition}

func patchTemplate(ctx context.Context, helper *patch.Helper, template *infrav1.NutanixMachineTemplate) error {
	if err := helper.Patch(ctx, template, patch.WithOwnedConditions{Conditions: owned}); err != nil {
		return fmt.Errorf("patching NutanixMachineTemplate %s/%s: %w", template.Namespace, template.Name, err)
	}
	return nil
}
