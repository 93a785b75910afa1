package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Kinds of objects that have a Terraform state.
const (
	kindMachine = "NutanixMachine"
	kindCluster = "NutanixCluster"
)

// managed is an object that has a Terraform state.
type managed struct {
	client.Object
	kind      string
	terraform *infrav1.TerraformStatus
}

// String returns the kind and the name.
func (m managed) String() string { return m.kind + "/" + m.GetName() }

// managedObjects returns the NutanixClusters and the NutanixMachines that options select, in the order of namespaces and names.
func managedObjects(ctx context.Context, cluster *Cluster, options ...client.ListOption) ([]managed, []infrav1.NutanixCluster, error) {
	clusters, machines := &infrav1.NutanixClusterList{}, &infrav1.NutanixMachineList{}
	if err := cluster.List(ctx, clusters, options...); err != nil {
		return nil, nil, fmt.Errorf("listing NutanixClusters: %w", err)
	}
	if err := cluster.List(ctx, machines, options...); err != nil {
		return nil, nil, fmt.Errorf("listing NutanixMachines: %w", err)
	}
	var objects []managed
	for i := range clusters.Items {
		objects = append(objects, managed{&clusters.Items[i], kindCluster, clusters.Items[i].Status.Terraform})
	}
	for i := range machines.Items {
		objects = append(objects, managed{&machines.Items[i], kindMachine, machines.Items[i].Status.Terraform})
	}
	slices.SortStableFunc(objects, func(a, b managed) int {
		return strings.Compare(a.GetNamespace()+"/"+a.String(), b.GetNamespace()+"/"+b.String())
	})
	return objects, clusters.Items, nil
}

// getManaged returns an object by kind and name, for example NutanixMachine/prod-md-0-9d8v2. It accepts short names of the kinds.
func getManaged(ctx context.Context, cluster *Cluster, reference string) (managed, error) {
	kind, name, found := strings.Cut(reference, "/")
	if !found || name == "" {
		return managed{}, fmt.Errorf("invalid object %q: give kind and name, for example NutanixMachine/%s", reference, reference)
	}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: name}
	switch strings.ToLower(kind) {
	case "nutanixmachine", "nutanixmachines", "machine", "nma":
		machine := &infrav1.NutanixMachine{}
		if err := cluster.Get(ctx, key, machine); err != nil {
			return managed{}, fmt.Errorf("reading NutanixMachine %s: %w", key, err)
		}
		return managed{machine, kindMachine, machine.Status.Terraform}, nil
	case "nutanixcluster", "nutanixclusters", "cluster", "ncl":
		infra := &infrav1.NutanixCluster{}
		if err := cluster.Get(ctx, key, infra); err != nil {
			return managed{}, fmt.Errorf("reading NutanixCluster %s: %w", key, err)
		}
		return managed{infra, kindCluster, infra.Status.Terraform}, nil
	default:
		return managed{}, fmt.Errorf("invalid kind %q: only NutanixMachines and NutanixClusters have a Terraform state", kind)
	}
}

// isClusterOfObject reports whether an object is a NutanixCluster or belongs to it.
func isClusterOfObject(object managed, cluster infrav1.NutanixCluster) bool {
	label := object.GetLabels()[clusterv1.ClusterNameLabel]
	same := object.kind == kindCluster && cluster.Name == object.GetName() ||
		object.kind == kindMachine && label != "" && label == cluster.Labels[clusterv1.ClusterNameLabel]
	return same && cluster.Namespace == object.GetNamespace()
}

// backendOf returns the backend for the state of an object, or nil for the default backend. clusters are those of its namespace.
func backendOf(object managed, clusters []infrav1.NutanixCluster) *infrav1.TerraformBackend {
	for _, cluster := range clusters {
		if isClusterOfObject(object, cluster) && cluster.Spec.Terraform != nil {
			return cluster.Spec.Terraform.Backend
		}
	}
	return nil
}

// backendType returns the type of a backend.
func backendType(backend *infrav1.TerraformBackend) string {
	if backend == nil || backend.Type == "" {
		return kubernetesBackend
	}
	return backend.Type
}

// completeObjects completes the kind and name of an object.
func (a *app) completeObjects(command *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	cluster, err := a.connect()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	objects, _, err := managedObjects(command.Context(), cluster, client.InNamespace(cluster.Namespace))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var completions []cobra.Completion
	for _, object := range objects {
		completions = append(completions, object.String())
	}
	return completions, cobra.ShellCompDirectiveNoFileComp
}
