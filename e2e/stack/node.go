package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Nodes are those of a workload cluster, by name.
func (s *Stack) Nodes(ctx context.Context, cluster client.ObjectKey) ([]corev1.Node, error) {
	workload, err := s.Env.Workload(ctx, cluster)
	if err != nil {
		return nil, err
	}
	nodes := &corev1.NodeList{}
	if err := workload.List(ctx, nodes); err != nil {
		return nil, fmt.Errorf("listing the Nodes of %s: %w", cluster, err)
	}
	slices.SortFunc(nodes.Items, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes.Items, nil
}

// Initialized says whether the cloud controller manager has done with a Node: its taint is gone.
func Initialized(node *corev1.Node) bool {
	return !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == cloudproviderapi.TaintExternalCloudProvider })
}
