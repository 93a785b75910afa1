package stack

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// BareCluster describes a cluster without a control plane. The Machines of the cluster have VMs but no Nodes. It is
// used in stacks without guests.
type BareCluster struct {
	Namespace, Name string
	// Address, Port and TrustBundle determine how the cluster connects to Prism Central.
	Address     string
	Port        int32
	TrustBundle string
	Credentials Credentials
	// Terraform is the value of spec.terraform in the NutanixCluster. It may be nil.
	Terraform *infrav1.TerraformSpec
}

// These are the names of the Secrets of a bare cluster.
const (
	credentialsSecret = "nutanix-credentials"
	bootstrapSecret   = "bootstrap"
)

// Objects returns the objects that define the cluster: Namespace, Secrets, Cluster and NutanixCluster.
func (c BareCluster) Objects() []client.Object {
	credentials := fmt.Sprintf(`[{"type": "basic_auth", "data": {"prismCentral": {"username": %q, "password": %q}}}]`,
		c.Credentials.Username, c.Credentials.Password)
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace}},
		&corev1.Secret{ObjectMeta: c.named(credentialsSecret), StringData: map[string]string{infrav1.NutanixCredentialKey: credentials}},
		&corev1.Secret{ObjectMeta: c.labeled(bootstrapSecret), Data: map[string][]byte{"value": []byte("#cloud-config\n")}},
		&clusterv1.Cluster{ObjectMeta: c.named(c.Name), Spec: clusterv1.ClusterSpec{InfrastructureRef: reference(kindCluster, c.Name)}},
		&infrav1.NutanixCluster{ObjectMeta: c.named(c.Name), Spec: infrav1.NutanixClusterSpec{
			ControlPlaneEndpoint: infrav1.APIEndpoint{Host: "127.0.0.1", Port: 6443},
			PrismCentral: &infrav1.NutanixPrismEndpoint{
				Address: c.Address, Port: c.Port,
				AdditionalTrustBundle: &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindString, Data: c.TrustBundle},
				CredentialRef:         &infrav1.NutanixCredentialReference{Kind: infrav1.NutanixCredentialKindSecret, Name: credentialsSecret},
			},
			Terraform: c.Terraform,
		}},
	}
}

// Machine returns a NutanixMachine and a Machine, as a control plane or a MachineSet would create them.
func (c BareCluster) Machine(name string) (*infrav1.NutanixMachine, *clusterv1.Machine) {
	return &infrav1.NutanixMachine{ObjectMeta: c.labeled(name), Spec: infrav1.NutanixMachineSpec{
			VCPUSockets: 2, VCPUsPerSocket: 1, MemorySize: resource.MustParse("4Gi"), SystemDiskSize: resource.MustParse("40Gi"),
			Image: ptr.To(byName("ubuntu-22.04-kube-v1.36.3")), Cluster: byName("nutanix-cluster-1"),
			Subnets: []infrav1.NutanixResourceIdentifier{byName("vm-network")},
		}}, &clusterv1.Machine{ObjectMeta: c.labeled(name), Spec: clusterv1.MachineSpec{
			ClusterName: c.Name, InfrastructureRef: reference("NutanixMachine", name),
			Bootstrap: clusterv1.Bootstrap{DataSecretName: ptr.To(bootstrapSecret)},
		}}
}

func (c BareCluster) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: c.Namespace, Name: name}
}

func (c BareCluster) labeled(name string) metav1.ObjectMeta {
	meta := c.named(name)
	meta.Labels = map[string]string{clusterv1.ClusterNameLabel: c.Name}
	return meta
}

func reference(kind, name string) clusterv1.ContractVersionedObjectReference {
	return clusterv1.ContractVersionedObjectReference{APIGroup: infrav1.GroupVersion.Group, Kind: kind, Name: name}
}

func byName(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: ptr.To(name)}
}
