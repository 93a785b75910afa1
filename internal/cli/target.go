package cli

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// describeTarget returns the machine of a plan, or nil, and a description of its Node. Both are extra information that an approver may
// not be allowed to read, so describeTarget ignores errors.
func describeTarget(ctx context.Context, cluster *Cluster, plan *infrav1.NutanixPlan) (machine *infrav1.NutanixMachine, node string) {
	if plan.Spec.Target.Kind != "NutanixMachine" {
		return nil, ""
	}
	machine = &infrav1.NutanixMachine{}
	key := client.ObjectKey{Namespace: plan.Spec.Target.Namespace, Name: plan.Spec.Target.Name}
	if err := cluster.Get(ctx, key, machine); err != nil {
		return nil, ""
	}
	for _, owner := range machine.OwnerReferences {
		if owner.Kind != "Machine" || !strings.HasPrefix(owner.APIVersion, clusterv1.GroupVersion.Group+"/") {
			continue
		}
		ownerMachine := &clusterv1.Machine{}
		if err := cluster.Get(ctx, client.ObjectKey{Namespace: machine.Namespace, Name: owner.Name}, ownerMachine); err == nil {
			return machine, describeNode(ownerMachine)
		}
	}
	return machine, ""
}

// describeNode returns for example "Node prod-md-0-9d8v2, Ready". It is empty if the machine has no Node.
func describeNode(machine *clusterv1.Machine) string {
	if !machine.Status.NodeRef.IsDefined() {
		return ""
	}
	text := "Node " + machine.Status.NodeRef.Name
	condition := meta.FindStatusCondition(machine.Status.Conditions, clusterv1.MachineNodeReadyCondition)
	switch {
	case condition == nil || condition.Status == metav1.ConditionUnknown:
		return text
	case condition.Status == metav1.ConditionTrue:
		return text + ", Ready"
	default:
		return text + ", not Ready"
	}
}
