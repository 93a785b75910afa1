package admission_test

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func byName(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: ptr.To(name)}
}

func machineSpec() infrav1.NutanixMachineSpec {
	return infrav1.NutanixMachineSpec{
		VCPUsPerSocket: 1,
		VCPUSockets:    2,
		MemorySize:     resource.MustParse("4Gi"),
		SystemDiskSize: resource.MustParse("40Gi"),
		Image:          ptr.To(byName("ubuntu")),
		Cluster:        byName("pe-1"),
		Subnets:        []infrav1.NutanixResourceIdentifier{byName("vm-network")},
	}
}

func clusterSpec() infrav1.NutanixClusterSpec {
	return infrav1.NutanixClusterSpec{
		ControlPlaneEndpoint: infrav1.APIEndpoint{Host: "10.0.0.100", Port: 6443},
		PrismCentral: &infrav1.NutanixPrismEndpoint{
			Address:       "prism.example.com",
			Port:          9440,
			CredentialRef: &infrav1.NutanixCredentialReference{Kind: infrav1.NutanixCredentialKindSecret, Name: "creds"},
		},
	}
}

func machine(ns string) *infrav1.NutanixMachine {
	return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "m"}, Spec: machineSpec()}
}

func machineTemplate(ns string) *infrav1.NutanixMachineTemplate {
	template := &infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "t"}}
	template.Spec.Template.Spec = machineSpec()
	return template
}

func cluster(ns string) *infrav1.NutanixCluster {
	return &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "c"}, Spec: clusterSpec()}
}

func clusterTemplate(ns string) *infrav1.NutanixClusterTemplate {
	template := &infrav1.NutanixClusterTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "t"}}
	template.Spec.Template.Spec = clusterSpec()
	return template
}

func failureDomain(ns string) *infrav1.NutanixFailureDomain {
	return &infrav1.NutanixFailureDomain{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "fd"},
		Spec: infrav1.NutanixFailureDomainSpec{
			PrismElementCluster: byName("pe-1"),
			Subnets:             []infrav1.NutanixResourceIdentifier{byName("vm-network")},
		},
	}
}

func dataDisks(adapter infrav1.NutanixMachineDiskAdapterType, index int32) []infrav1.NutanixMachineVMDisk {
	return []infrav1.NutanixMachineVMDisk{{
		DiskSize:         resource.MustParse("10Gi"),
		DeviceProperties: &infrav1.NutanixMachineVMDiskDeviceProperties{AdapterType: adapter, DeviceIndex: index},
	}}
}

func domains(name, subnet string) []infrav1.NutanixFailureDomainConfig {
	return []infrav1.NutanixFailureDomainConfig{{
		Name: name, Cluster: byName("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{byName(subnet)},
	}}
}

func references(name string) []corev1.LocalObjectReference {
	return []corev1.LocalObjectReference{{Name: name}}
}

func backend(kind, argument string) *infrav1.TerraformSpec {
	return &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: kind, Config: map[string]string{argument: "hush"}}}
}
