package stack

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WaitNodes waits until the cloud controller manager has initialized all Nodes of a workload cluster. It returns the
// Nodes, sorted by name.
func (s *Stack) WaitNodes(ctx context.Context, cluster client.ObjectKey) ([]corev1.Node, error) {
	workload, err := s.Env.Workload(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var nodes []corev1.Node
	err = s.Env.Wait(ctx, "Nodes of "+cluster.Name+" to be initialised", func(ctx context.Context) (bool, string, error) {
		var left []string
		var err error
		nodes, left, err = uninitialised(ctx, workload)
		return len(left) == 0, "not yet: " + strings.Join(left, ", "), err
	})
	slices.SortFunc(nodes, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, err
}

// uninitialised returns all Nodes of a workload cluster, and the names of those that are not initialized.
func uninitialised(ctx context.Context, workload client.Client) (nodes []corev1.Node, names []string, err error) {
	list := &corev1.NodeList{}
	if err := workload.List(ctx, list); err != nil {
		return nil, nil, err
	}
	for i := range list.Items {
		if !initialised(&list.Items[i]) {
			names = append(names, list.Items[i].Name)
		}
	}
	return list.Items, names, nil
}

// initialised reports whether the cloud controller manager has initialized a Node. An initialized Node has addresses
// and does not have the uninitialized taint. Both must be checked, because the addresses are set shortly after the
// taint is removed.
func initialised(node *corev1.Node) bool {
	return !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == cloudproviderapi.TaintExternalCloudProvider }) &&
		slices.ContainsFunc(node.Status.Addresses, func(address corev1.NodeAddress) bool { return address.Type == corev1.NodeInternalIP })
}
