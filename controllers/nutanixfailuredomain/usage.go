package nutanixfailuredomain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// usage contains the objects that use a failure domain. Objects that are being deleted do not count.
type usage struct {
	// users are the objects that reference the failure domain: first NutanixClusters, then MachineDeployments, then
	// Machines, each sorted by name.
	users []user
	// nutanixClusters are the NutanixClusters whose machines run in the failure domain or may be created there, sorted
	// by name.
	nutanixClusters []*infrav1.NutanixCluster
}

// user is one object that references a failure domain.
type user struct {
	// kind and name identify the object. cluster is the name of the Cluster to which the object belongs.
	kind, name, cluster string
}

const (
	kindNutanixCluster    = "NutanixCluster"
	kindMachineDeployment = "MachineDeployment"
	kindMachine           = "Machine"
)

// candidates are the objects of a namespace that may use a failure domain.
type candidates struct {
	nutanixClusters    infrav1.NutanixClusterList
	machineDeployments clusterv1.MachineDeploymentList
	machines           clusterv1.MachineList
}

// gatherUsage lists the objects of the namespace and returns the usage of a failure domain.
func gatherUsage(ctx context.Context, reader client.Reader, domain *infrav1.NutanixFailureDomain) (usage, error) {
	var found candidates
	for _, list := range []client.ObjectList{&found.nutanixClusters, &found.machineDeployments, &found.machines} {
		if err := reader.List(ctx, list, client.InNamespace(domain.Namespace)); err != nil {
			return usage{}, fmt.Errorf("listing what may use NutanixFailureDomain %s/%s: %w", domain.Namespace, domain.Name, err)
		}
	}
	return determineUsage(domain.Name, found), nil
}

// determineUsage returns the usage of the failure domain with the name. It selects the users from the candidates.
func determineUsage(name string, found candidates) usage {
	var result usage
	inline := map[string]bool{} // Clusters whose own spec defines a failure domain with the same name
	for i := range found.nutanixClusters.Items {
		cluster := &found.nutanixClusters.Items[i]
		inline[clusterOf(cluster)] = slices.ContainsFunc(cluster.Spec.FailureDomains, func(d infrav1.NutanixFailureDomainConfig) bool { return d.Name == name })
		if names(cluster.Spec.ControlPlaneFailureDomains, name) && cluster.DeletionTimestamp.IsZero() {
			result.users = append(result.users, user{kindNutanixCluster, cluster.Name, clusterOf(cluster)})
		}
	}
	for i := range found.machineDeployments.Items {
		deployment := &found.machineDeployments.Items[i]
		cluster := deployment.Spec.ClusterName
		if deployment.Spec.Template.Spec.FailureDomain == name && !inline[cluster] && deployment.DeletionTimestamp.IsZero() {
			result.users = append(result.users, user{kindMachineDeployment, deployment.Name, cluster})
		}
	}
	for i := range found.machines.Items {
		machine := &found.machines.Items[i]
		cluster := machine.Spec.ClusterName
		if machine.Spec.FailureDomain == name && !inline[cluster] && machine.DeletionTimestamp.IsZero() {
			result.users = append(result.users, user{kindMachine, machine.Name, cluster})
		}
	}
	result.sort()
	result.nutanixClusters = clustersOf(result.users, found.nutanixClusters.Items)
	return result
}

// names reports whether one of the references has the name name.
func names(references []corev1.LocalObjectReference, name string) bool {
	return slices.Contains(references, corev1.LocalObjectReference{Name: name})
}

// clusterOf returns the name of the Cluster that owns a NutanixCluster, or an empty string.
func clusterOf(cluster *infrav1.NutanixCluster) string {
	return cluster.Labels[clusterv1.ClusterNameLabel]
}

func (u *usage) sort() {
	order := []string{kindNutanixCluster, kindMachineDeployment, kindMachine}
	slices.SortFunc(u.users, func(a, b user) int {
		if a.kind != b.kind {
			return slices.Index(order, a.kind) - slices.Index(order, b.kind)
		}
		return strings.Compare(a.name, b.name)
	})
}

// clustersOf returns the NutanixClusters that use the failure domain, sorted by name. If a user is not a
// NutanixCluster, clustersOf includes the NutanixCluster of the Cluster to which the user belongs.
func clustersOf(users []user, all []infrav1.NutanixCluster) []*infrav1.NutanixCluster {
	var clusters []*infrav1.NutanixCluster
	for i := range all {
		cluster := &all[i]
		used := slices.ContainsFunc(users, func(u user) bool {
			return u.kind == kindNutanixCluster && u.name == cluster.Name || u.cluster != "" && u.cluster == clusterOf(cluster)
		})
		if used && cluster.DeletionTimestamp.IsZero() {
			clusters = append(clusters, cluster)
		}
	}
	slices.SortFunc(clusters, func(a, b *infrav1.NutanixCluster) int { return strings.Compare(a.Name, b.Name) })
	return clusters
}

// clusterNames returns the sorted names of the Clusters whose objects use the failure domain.
func (u *usage) clusterNames() []string {
	var all []string
	for _, user := range u.users {
		if user.cluster != "" {
			all = append(all, user.cluster)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
