package provisioning

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
)

// usedElements returns the Prism Elements among all that the failure domains and the machine templates of a cluster name. If one of the
// names cannot be resolved, or if there are none, it returns all Prism Elements.
func (d *Dependencies) usedElements(
	ctx context.Context, cluster *infrav1.NutanixCluster, clusterName string, all []prism.ElementVersion,
) ([]prism.ElementVersion, error) {
	names, complete, err := d.namedElements(ctx, cluster, clusterName)
	if err != nil {
		return nil, err
	}
	var used []prism.ElementVersion
	for _, name := range names {
		element, err := (prism.Versions{Elements: all}).Element(name)
		if err != nil {
			return all, nil //nolint:nilerr // all Prism Elements contain the one that is meant
		}
		used = append(used, element)
	}
	if len(used) == 0 || !complete {
		return all, nil
	}
	return used, nil
}

// namedElements returns the Prism Elements that the objects of a cluster name. complete is false if a failure domain does not exist.
func (d *Dependencies) namedElements(
	ctx context.Context, cluster *infrav1.NutanixCluster, clusterName string,
) (names []infrav1.NutanixResourceIdentifier, complete bool, err error) {
	for _, domain := range cluster.Spec.FailureDomains {
		names = append(names, domain.Cluster)
	}
	domains, err := d.failureDomains(ctx, cluster, clusterName)
	if err != nil {
		return nil, false, err
	}
	for _, name := range domains {
		domain := &infrav1.NutanixFailureDomain{}
		if err := d.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: name}, domain); apierrors.IsNotFound(err) {
			return nil, false, nil
		} else if err != nil {
			return nil, false, fmt.Errorf("getting NutanixFailureDomain %s/%s: %w", cluster.Namespace, name, err)
		}
		names = append(names, domain.Spec.PrismElementCluster)
	}
	templates := &infrav1.NutanixMachineTemplateList{}
	if err := d.Client.List(ctx, templates, client.InNamespace(cluster.Namespace)); err != nil {
		return nil, false, fmt.Errorf("listing the machine templates of Cluster %s/%s: %w", cluster.Namespace, clusterName, err)
	}
	for i := range templates.Items {
		template := &templates.Items[i]
		if name := template.Spec.Template.Spec.Cluster; name.Type != "" && mayBelongTo(template, clusterName) {
			names = append(names, name)
		}
	}
	return names, true, nil
}

// failureDomains returns the names of the NutanixFailureDomains that the cluster and its MachineDeployments reference.
func (d *Dependencies) failureDomains(ctx context.Context, cluster *infrav1.NutanixCluster, clusterName string) ([]string, error) {
	var names []string
	for _, ref := range cluster.Spec.ControlPlaneFailureDomains {
		names = append(names, ref.Name)
	}
	deployments := &clusterv1.MachineDeploymentList{}
	if err := d.Client.List(ctx, deployments, client.InNamespace(cluster.Namespace)); err != nil {
		return nil, fmt.Errorf("listing the MachineDeployments of Cluster %s/%s: %w", cluster.Namespace, clusterName, err)
	}
	for i := range deployments.Items {
		spec := &deployments.Items[i].Spec
		name := spec.Template.Spec.FailureDomain
		inline := func(domain infrav1.NutanixFailureDomainConfig) bool { return domain.Name == name }
		if spec.ClusterName == clusterName && name != "" && !slices.ContainsFunc(cluster.Spec.FailureDomains, inline) {
			names = append(names, name)
		}
	}
	return names, nil
}

// mayBelongTo reports whether a machine template belongs to a Cluster, or was applied so recently that Cluster API has not set its owner
// yet.
func mayBelongTo(template *infrav1.NutanixMachineTemplate, clusterName string) bool {
	if name := template.Labels[clusterv1.ClusterNameLabel]; name != "" {
		return name == clusterName
	}
	for _, owner := range template.OwnerReferences {
		if owner.Kind == "Cluster" {
			return owner.Name == clusterName
		}
	}
	return len(template.OwnerReferences) == 0
}
