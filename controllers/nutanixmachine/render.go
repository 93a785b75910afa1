package nutanixmachine

import (
	"fmt"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
)

// Render renders the workspace of a machine from objects alone, without Prism Central. The inputs of the machine must be pinned, which they
// are once the request to create its VM was sent. The workspace lacks the categories that others put on the VM. Export adds them.
func Render(machine *infrav1.NutanixMachine, cluster *infrav1.NutanixCluster) (renderer.Workspace, error) {
	key := client.ObjectKeyFromObject(machine)
	pins := readPins(machine)
	if pins == nil {
		return renderer.Workspace{}, fmt.Errorf("rendering the workspace of NutanixMachine %s: its names are not resolved yet: wait until its VM is being created", key)
	}
	name := machineName(machine)
	clusterName := machine.Labels[clusterv1.ClusterNameLabel]
	if name == "" || clusterName == "" {
		return renderer.Workspace{}, fmt.Errorf("rendering the workspace of NutanixMachine %s: it belongs to no Machine of a Cluster", key)
	}
	settings, err := provisioning.RecordedSettings(cluster, kind, machine)
	if err != nil {
		return renderer.Workspace{}, err
	}
	categories, err := pinnedCategories(machine, clusterName, pins)
	if err != nil {
		return renderer.Workspace{}, fmt.Errorf("rendering the workspace of NutanixMachine %s: %w", key, err)
	}
	return renderer.RenderMachine(settings, machineInputs(machine, name, pins, categories))
}

// machineName returns the name of the Machine that owns a NutanixMachine, or an empty string.
func machineName(machine *infrav1.NutanixMachine) string {
	for _, owner := range machine.OwnerReferences {
		if owner.Kind == "Machine" {
			return owner.Name
		}
	}
	return ""
}
