package controllertest

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// BootstrapData is the content of the bootstrap Secret. The content must not leak.
const BootstrapData = "#cloud-config b00tstrap-t0ken-that-must-not-leak"

// Named returns an identifier that selects an entity by name.
func Named(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name}
}

// Fixture contains the objects around one machine of the Cluster "c". NewFixture does not create them in the API
// server.
type Fixture struct {
	Credentials    *corev1.Secret
	Cluster        *clusterv1.Cluster
	NutanixCluster *infrav1.NutanixCluster
	Bootstrap      *corev1.Secret
	Machine        *clusterv1.Machine
	NutanixMachine *infrav1.NutanixMachine
}

// NewFixture returns the objects for the test environment e.
func NewFixture(e *Environment) *Fixture {
	e.ExpectNoLeak(BootstrapData)
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: map[string]string{clusterv1.ClusterNameLabel: "c"}}
	}
	f := &Fixture{
		Credentials: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "c-creds"}, Data: credentials(Password)},
		Cluster: &clusterv1.Cluster{ObjectMeta: meta("c"), Spec: clusterv1.ClusterSpec{
			InfrastructureRef: clusterv1.ContractVersionedObjectReference{APIGroup: infrav1.GroupVersion.Group, Kind: "NutanixCluster", Name: "c"}}},
		NutanixCluster: &infrav1.NutanixCluster{ObjectMeta: meta("c"), Spec: infrav1.NutanixClusterSpec{
			ControlPlaneEndpoint: infrav1.APIEndpoint{Host: "10.0.0.100", Port: 6443},
			PrismCentral:         Endpoint(e.Prism, "c-creds"),
		}},
		Bootstrap: &corev1.Secret{ObjectMeta: meta("m-bootstrap"), Data: map[string][]byte{"value": []byte(BootstrapData)}},
		Machine: &clusterv1.Machine{ObjectMeta: meta("m"), Spec: clusterv1.MachineSpec{
			ClusterName: "c", Version: "v1.36.3", Bootstrap: clusterv1.Bootstrap{DataSecretName: ptr.To("m-bootstrap")},
			InfrastructureRef: clusterv1.ContractVersionedObjectReference{APIGroup: infrav1.GroupVersion.Group, Kind: "NutanixMachine", Name: "m"}}},
		NutanixMachine: &infrav1.NutanixMachine{ObjectMeta: meta("m"), Spec: infrav1.NutanixMachineSpec{
			VCPUSockets: 2, VCPUsPerSocket: 1, MemorySize: resource.MustParse("4Gi"), SystemDiskSize: resource.MustParse("40Gi"),
			Image: ptr.To(Named("ubuntu-1.36.3")), Cluster: Named("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{Named("net-1")}}},
	}
	return f
}

// Endpoint returns the endpoint of the Prism Central prism. The Secret with the name secret contains the credentials.
func Endpoint(prism *Prism, secret string) *infrav1.NutanixPrismEndpoint {
	host, port := prism.HostPort()
	return &infrav1.NutanixPrismEndpoint{
		Address: host, Port: port,
		AdditionalTrustBundle: &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindString, Data: string(prism.Bundle())},
		CredentialRef:         &infrav1.NutanixCredentialReference{Kind: infrav1.NutanixCredentialKindSecret, Name: secret},
	}
}

func credentials(password string) map[string][]byte {
	type login struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	type data struct {
		PrismCentral login `json:"prismCentral"`
	}
	content, _ := json.Marshal([]struct {
		Type string `json:"type"`
		Data data   `json:"data"`
	}{{"basic_auth", data{login{Username, password}}}}) // marshalling strings cannot fail
	return map[string][]byte{infrav1.NutanixCredentialKey: content}
}

// CreateCluster creates the credentials, the Cluster and the NutanixCluster. It sets the owner reference that Cluster
// API would set.
func (f *Fixture) CreateCluster(e *Environment) {
	e.T.Helper()
	e.Create(f.Credentials, f.Cluster)
	f.NutanixCluster.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(f.Cluster, clusterv1.GroupVersion.WithKind("Cluster"))}
	e.Create(f.NutanixCluster)
}

// CreateMachine creates the machine with its bootstrap data and sets the infrastructure of the cluster to provisioned.
func (f *Fixture) CreateMachine(e *Environment) {
	e.T.Helper()
	ChangeStatus(e, f.Cluster, func(cluster *clusterv1.Cluster) {
		cluster.Status.Initialization.InfrastructureProvisioned = ptr.To(true)
	})
	e.Create(f.Bootstrap, f.Machine)
	f.NutanixMachine.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(f.Machine, clusterv1.GroupVersion.WithKind("Machine"))}
	e.Create(f.NutanixMachine)
}

// ChangePassword changes the password in the credential Secret.
func (f *Fixture) ChangePassword(e *Environment, password string) {
	e.T.Helper()
	Change(e, f.Credentials, func(secret *corev1.Secret) { secret.Data = credentials(password) })
}
