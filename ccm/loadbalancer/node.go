package loadbalancer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// scaledDown is the taint of nodes that the cluster autoscaler is about to delete.
const scaledDown = "ToBeDeletedByClusterAutoscaler"

// eligible lists the nodes that may get traffic of load balancers. The rules are those of the framework's service controller
// (k8s.io/cloud-provider, controllers/service): readiness is none of them, health checks see to it.
func eligible(lister corelisters.NodeLister) ([]*corev1.Node, error) {
	nodes, err := lister.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return slices.DeleteFunc(nodes, func(n *corev1.Node) bool {
		return excluded(n) || !n.DeletionTimestamp.IsZero() ||
			slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == scaledDown })
	}), nil
}

// excluded reports whether the node is kept from load balancers by its label; a value that says nothing counts as yes.
func excluded(node *corev1.Node) bool {
	text, ok := node.Labels[corev1.LabelNodeExcludeBalancers]
	if !ok {
		return false
	}
	value, err := strconv.ParseBool(text)
	return err != nil || value
}

// retargets reports whether a change of a node is a reason to look at the targets of all load balancers.
func retargets(old, now *corev1.Node) bool {
	return excluded(old) != excluded(now) || old.Spec.ProviderID != now.Spec.ProviderID
}

// targets are nodes as a load balancer sees them: provider IDs by name.
type targets map[string]string

func targetsOf(nodes []*corev1.Node) targets {
	t := targets{}
	for _, n := range nodes {
		t[n.Name] = n.Spec.ProviderID
	}
	return t
}

func (t targets) equal(other targets) bool { return maps.Equal(t, other) }
