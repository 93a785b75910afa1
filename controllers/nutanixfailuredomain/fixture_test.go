package nutanixfailuredomain

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func named(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name}
}

// newDomain returns a failure domain with the subnets "net-1" and "net-2" on "pe-1".
func newDomain(namespace string) *infrav1.NutanixFailureDomain {
	return &infrav1.NutanixFailureDomain{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fd-1"},
		Spec: infrav1.NutanixFailureDomainSpec{
			PrismElementCluster: named("pe-1"),
			Subnets:             []infrav1.NutanixResourceIdentifier{named("net-1"), named("net-2")},
		},
	}
}

// newNutanixCluster returns the NutanixCluster of the Cluster "c". Its control plane uses the failure domains with the
// names domains.
func newNutanixCluster(namespace string, domains ...string) *infrav1.NutanixCluster {
	cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "c-infra", Labels: map[string]string{clusterv1.ClusterNameLabel: "c"},
	}}
	for _, domain := range domains {
		cluster.Spec.ControlPlaneFailureDomains = append(cluster.Spec.ControlPlaneFailureDomains, corev1.LocalObjectReference{Name: domain})
	}
	return cluster
}

func newCluster(namespace string) *clusterv1.Cluster {
	return &clusterv1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "c"},
		Spec: clusterv1.ClusterSpec{InfrastructureRef: clusterv1.ContractVersionedObjectReference{
			APIGroup: infrav1.GroupVersion.Group, Kind: "NutanixCluster", Name: "c-infra",
		}},
	}
}

func newMachine(namespace, name, domain string) *clusterv1.Machine {
	return &clusterv1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: machineSpec(domain)}
}

func newMachineDeployment(namespace, name, domain string) *clusterv1.MachineDeployment {
	labels := map[string]string{"md": name}
	return &clusterv1.MachineDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: clusterv1.MachineDeploymentSpec{
			ClusterName: "c",
			Selector:    metav1.LabelSelector{MatchLabels: labels},
			Template: clusterv1.MachineTemplateSpec{
				ObjectMeta: clusterv1.ObjectMeta{Labels: labels},
				Spec:       machineSpec(domain),
			},
		},
	}
}

func machineSpec(domain string) clusterv1.MachineSpec {
	secret := "bootstrap"
	return clusterv1.MachineSpec{
		ClusterName:   "c",
		FailureDomain: domain,
		Bootstrap:     clusterv1.Bootstrap{DataSecretName: &secret},
		InfrastructureRef: clusterv1.ContractVersionedObjectReference{
			APIGroup: infrav1.GroupVersion.Group, Kind: "NutanixMachine", Name: "m",
		},
	}
}
