package nlb

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/internal/providerid"
)

const (
	cluster      = "prod"
	vpcUUID      = "aaaaaaaa-0000-4000-8000-000000000001"
	vipsUUID     = "bbbbbbbb-0000-4000-8000-000000000001"
	otherVIPs    = "bbbbbbbb-0000-4000-8000-000000000002"
	nodesUUID    = "bbbbbbbb-0000-4000-8000-000000000003"
	externalUUID = "bbbbbbbb-0000-4000-8000-000000000004"
	foreignUUID  = "bbbbbbbb-0000-4000-8000-000000000005"
	theirVPC     = "aaaaaaaa-0000-4000-8000-000000000002"
	theirVIPs    = "bbbbbbbb-0000-4000-8000-000000000006"
)

// world is a Prism Central with a VPC and virtual machines, and the configuration that fits it.
type world struct {
	t *testing.T
	*prism
	cfg    config.Config
	nodes  []*corev1.Node
	events *record.FakeRecorder
	// clusterID is empty at first, as where the namespace kube-system cannot be read.
	clusterID string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, events: record.NewFakeRecorder(1000)}
	w.prism = &prism{
		reserved: map[reservation]string{}, faults: map[string][]error{},
		vpcs: []nutanix.VPC{{UUID: vpcUUID, Name: "vpc"}, {UUID: theirVPC, Name: "other"}},
		subnets: []nutanix.Subnet{
			{UUID: vipsUUID, Name: "vips", VPCUUID: vpcUUID, Prefix: netip.MustParsePrefix("10.0.0.0/24")},
			{UUID: otherVIPs, Name: "more-vips", VPCUUID: vpcUUID, Prefix: netip.MustParsePrefix("10.1.0.0/24")},
			{UUID: nodesUUID, Name: "nodes", VPCUUID: vpcUUID, Prefix: netip.MustParsePrefix("10.2.0.0/24")},
			{UUID: externalUUID, Name: "internet", IsExternal: true, IsNAT: true, Prefix: netip.MustParsePrefix("203.0.113.0/24")},
			{UUID: foreignUUID, Name: "vlan", Prefix: netip.MustParsePrefix("192.168.0.0/24")},
			{UUID: theirVIPs, Name: "their-vips", VPCUUID: theirVPC, Prefix: netip.MustParsePrefix("10.3.0.0/24")},
		},
		categories: []nutanix.Category{{UUID: "category", Key: categoryKey, Value: cluster}},
	}
	w.cfg = config.Config{ClusterName: cluster, LoadBalancer: config.LoadBalancer{NLB: &config.NLB{
		VPC: config.Identifier{Type: "name", Name: "vpc"}, Subnet: config.Identifier{Type: "name", Name: "vips"},
		ExternalSubnet: &config.Identifier{Type: "name", Name: "internet"},
		HealthCheck:    config.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 3},
	}}}
	for i := range 3 {
		w.addNode(i, nodesUUID)
	}
	return w
}

func (w *world) addNode(i int, subnets ...string) {
	uuid := fmt.Sprintf("cccccccc-0000-4000-8000-%012d", i)
	vm := nutanix.VM{UUID: uuid, Name: fmt.Sprintf("node-%d", i), CategoryUUIDs: []string{"category"}}
	for j, subnet := range subnets {
		vm.NICs = append(vm.NICs, nutanix.NIC{UUID: fmt.Sprintf("nic-%d-%d", i, j), SubnetUUID: subnet})
	}
	w.vms = append(w.vms, vm)
	w.nodes = append(w.nodes, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: vm.Name, Labels: map[string]string{"number": fmt.Sprint(i)}},
		Spec:       corev1.NodeSpec{ProviderID: providerid.Format(uuid)},
	})
}

// backend is a new one each time: nothing is remembered between calls.
func (w *world) backend() *Backend {
	return New(Options{API: w.prism, VMs: uncached{w.prism}, Config: func() config.Config { return w.cfg }, ClusterID: w.clusterID, Events: w.events})
}

// uncached asks in the caller's goroutine, where the caller can be killed.
type uncached struct{ *prism }

func (u uncached) Categories(ctx context.Context, key string) ([]nutanix.Category, error) {
	return u.ListCategories(ctx, key)
}

func (u uncached) VMsOfCategory(ctx context.Context, uuid string) ([]nutanix.VM, error) {
	return u.ListVMs(ctx, nutanix.VMFilter{CategoryUUID: uuid})
}

func (w *world) ensure(service *corev1.Service) (*corev1.LoadBalancerStatus, error) {
	return w.backend().Ensure(context.Background(), service, w.nodes)
}

func (w *world) mustEnsure(service *corev1.Service) *corev1.LoadBalancerStatus {
	w.t.Helper()
	status, err := w.ensure(service)
	require.NoError(w.t, err)
	return status
}

func (w *world) mustDelete(service *corev1.Service) {
	w.t.Helper()
	require.NoError(w.t, w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, service)))
}

func (w *world) noViolations() {
	w.t.Helper()
	assert.Empty(w.t, w.violations)
}

// refusal of an error, which must be one.
func refusalOf(t *testing.T, err error) *loadbalancer.Refusal {
	t.Helper()
	var refusal *loadbalancer.Refusal
	require.ErrorAs(t, err, &refusal)
	return refusal
}

// newService gives a Service with TCP port 80; its number tells it from others.
func newService(number int, changes ...func(*corev1.Service)) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("web-%d", number), Namespace: "default", Annotations: map[string]string{},
			UID: types.UID(fmt.Sprintf("dddddddd-0000-4000-8000-%012d", number)),
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}},
	}
	withPorts(tcp(80, 30080))(service)
	for _, change := range changes {
		change(service)
	}
	return service
}

func tcp(port, nodePort int32) corev1.ServicePort {
	return corev1.ServicePort{Name: fmt.Sprintf("t%d", port), Protocol: corev1.ProtocolTCP, Port: port, NodePort: nodePort}
}

func udp(port, nodePort int32) corev1.ServicePort {
	return corev1.ServicePort{Name: fmt.Sprintf("u%d", port), Protocol: corev1.ProtocolUDP, Port: port, NodePort: nodePort}
}

func withPorts(ports ...corev1.ServicePort) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports = ports }
}

func annotated(name, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[name] = value }
}

func withAddress(address string) func(*corev1.Service) {
	return annotated(loadbalancer.AnnotationAddress, address)
}

func withSubnet(name string) func(*corev1.Service) {
	return annotated(loadbalancer.AnnotationSubnet, name)
}

var withFloatingIP = annotated(loadbalancer.AnnotationFloatingIP, "true")
