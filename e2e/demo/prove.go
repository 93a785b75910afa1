package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/stack"
)

// nodes prints the Nodes of a cluster with the fields that the cloud controller manager has set.
func (d *Demo) nodes(ctx context.Context, cluster *clusterv1.Cluster) error {
	nodes, err := d.stack.WaitNodes(ctx, client.ObjectKeyFromObject(cluster))
	if err != nil {
		return err
	}
	d.Out.Phase("Nodes of %s, as capnt-ccm initialised them", cluster.Name)
	for i := range nodes {
		node := &nodes[i]
		var addresses []string
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				addresses = append(addresses, address.Address)
			}
		}
		d.Out.Line("%-40s %s  %s  %s/%s  %s", node.Name, node.Spec.ProviderID, strings.Join(addresses, ","),
			node.Labels[corev1.LabelTopologyRegion], node.Labels[corev1.LabelTopologyZone], node.Labels[corev1.LabelInstanceTypeStable])
	}
	d.Out.Done("%d Nodes have a provider ID, addresses, region, zone and instance type", len(nodes))
	return nil
}

// prove runs Terraform in the exported workspace of one machine, as a user can. It lists the state in the backend that
// the manager uses, and checks that a plan finds no changes in Prism Central.
func (d *Demo) prove(ctx context.Context) error {
	machines := &infrav1.NutanixMachineList{}
	if err := d.stack.Env.Client.List(ctx, machines); err != nil {
		return fmt.Errorf("listing NutanixMachines: %w", err)
	}
	if len(machines.Items) == 0 {
		return nil
	}
	machine := &machines.Items[0]
	d.Out.Phase("Terraform in the workspace of NutanixMachine %s", machine.Name)
	workspace, err := d.stack.Workspace(ctx, machine)
	if err != nil {
		return err
	}
	defer workspace.Close()
	if err := d.show("terraform init", func() (string, error) { return workspace.Terraform(ctx, stack.InitArgs...) }); err != nil {
		return err
	}
	if err := d.show("terraform state list", func() (string, error) { return workspace.Terraform(ctx, "state", "list") }); err != nil {
		return err
	}
	if err := d.show("terraform plan", func() (string, error) { return workspace.Plan(ctx) }); err != nil {
		return err
	}
	d.Out.Done("terraform plan found no changes")
	return nil
}

// show calls run, which runs the command with the given name, and prints the name and the output of the command.
func (d *Demo) show(name string, run func() (string, error)) error {
	d.Out.Line("$ %s", name)
	output, err := run()
	for line := range strings.Lines(output) {
		if strings.TrimSpace(line) != "" {
			d.Out.Line("  %s", strings.TrimRight(line, "\n"))
		}
	}
	return err
}

// workloadKubeconfig writes the kubeconfig of a workload cluster to a file and returns the path of the file.
func (d *Demo) workloadKubeconfig(ctx context.Context, cluster *clusterv1.Cluster) (string, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"}
	if err := d.stack.Env.Client.Get(ctx, key, secret); err != nil {
		return "", fmt.Errorf("getting the kubeconfig of %s: %w", cluster.Name, err)
	}
	return d.file(cluster.Name+".kubeconfig", secret.Data["value"])
}

// file writes a file that the user can use while the demo keeps the cluster, and returns the path of the file.
func (d *Demo) file(name string, content []byte) (string, error) {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return path, nil
}
