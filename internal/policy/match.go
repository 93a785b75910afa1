package policy

import (
	"slices"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// matches reports whether a policy applies to the plan. A policy for some clusters applies to a plan whose cluster is not known, too.
func matches(match infrav1.PolicyMatch, input Input) bool {
	spec := input.Plan.Spec
	cluster := clusterName(input)
	return (len(match.Causes) == 0 || slices.Contains(match.Causes, spec.Cause)) &&
		(len(match.Kinds) == 0 || slices.Contains(match.Kinds, spec.Target.Kind)) &&
		(len(match.Clusters) == 0 || cluster == "" || slices.Contains(match.Clusters, cluster))
}

// clusterName returns the name of the Cluster of the plan, or "" if it is not known.
func clusterName(input Input) string {
	if name := input.Plan.Spec.Origin.Cluster; name != "" {
		return name
	}
	if input.Machine != nil && input.Machine.Labels[clusterv1.ClusterNameLabel] != "" {
		return input.Machine.Labels[clusterv1.ClusterNameLabel]
	}
	if input.Cluster != nil {
		return input.Cluster.Labels[clusterv1.ClusterNameLabel]
	}
	return ""
}
