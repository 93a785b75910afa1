package nutanixcluster

import (
	"fmt"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
)

// Render renders the workspace of a cluster from the object alone.
func Render(cluster *infrav1.NutanixCluster) (renderer.Workspace, error) {
	name := cluster.Labels[clusterv1.ClusterNameLabel]
	if name == "" {
		return renderer.Workspace{}, fmt.Errorf("rendering the workspace of NutanixCluster %s: it belongs to no Cluster", client.ObjectKeyFromObject(cluster))
	}
	settings, err := provisioning.RecordedSettings(cluster, kind, cluster)
	if err != nil {
		return renderer.Workspace{}, err
	}
	inputs := clusterInputs(name)
	if _, possible := controlPlaneCategory(cluster); possible && usesV4(cluster) {
		inputs.ControlPlane = controlPlaneInputs(cluster, wantsAntiAffinity(cluster))
	}
	return renderer.RenderCluster(settings, inputs)
}

// clusterInputs returns the inputs of the renderer for a cluster. name is the name of the Cluster.
func clusterInputs(name string) renderer.Cluster {
	return renderer.Cluster{CategoryKey: infrav1.CategoryKey, CategoryValue: name}
}
