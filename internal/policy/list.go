package policy

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// List returns the policies for plans of a namespace: those in the namespace, and those in the namespace of the manager.
func List(ctx context.Context, reader client.Reader, namespace, managerNamespace string) ([]infrav1.NutanixPlanPolicy, error) {
	var policies []infrav1.NutanixPlanPolicy
	for _, from := range []string{managerNamespace, namespace} {
		list := &infrav1.NutanixPlanPolicyList{}
		if err := reader.List(ctx, list, client.InNamespace(from)); err != nil {
			return nil, fmt.Errorf("listing the NutanixPlanPolicies in namespace %s: %w", from, err)
		}
		policies = append(policies, list.Items...)
		if namespace == managerNamespace {
			break
		}
	}
	return policies, nil
}
