package provisioning

import (
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Lengths of the parts of the value of a control plane category. Prism Central allows 64 characters.
const (
	maxClusterName = 55
	keyLength      = 8
)

// ControlPlaneCategoryValue returns the value of the category of the control plane machines of a cluster. It contains a part of the workspace
// key, so that clusters with the same name have different values, and the value survives clusterctl move.
func ControlPlaneCategoryValue(cluster *infrav1.NutanixCluster) string {
	name, key := cluster.Labels[clusterv1.ClusterNameLabel], WorkspaceKey(cluster)
	return name[:min(len(name), maxClusterName)] + "-" + key[:min(len(key), keyLength)]
}
