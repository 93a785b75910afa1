package loadbalancer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/record"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

const announced = "kube-vip.io/loadbalancerIPs"

const inventory = `
prismElements: [{name: pe}]
subnets: [{name: vlan-7, prismElement: pe, vlanID: 7, cidr: 127.72.7.0/24, ipam: true, pools: [127.72.7.10-127.72.7.12]}]
`

// A Service of our class gets an address from a Prism Central; an announcer finds it in the annotation and writes the status,
// which stays; nothing stays when the type changes. The client may do only what the manifests allow.
func TestAddressOfAVLANSubnetReachesTheAnnouncer(t *testing.T) {
	all, allowed := loadbalancer.Clients()
	prism, api := prismtest.Start(t, inventory, prismsim.Options{}, nutanix.Limits{})
	c := config.Config{ClusterName: "prod", LoadBalancer: config.LoadBalancer{
		IPAM:         &config.IPAM{Subnet: config.Identifier{Type: "name", Name: "vlan-7"}},
		Classes:      map[string]config.LoadBalancerType{"kube-vip.io/kube-vip-class": config.LoadBalancerIPAM},
		RepairPeriod: metav1.Duration{Duration: 100 * time.Millisecond},
	}}
	now, events := func() config.Config { return c }, record.NewFakeRecorder(10000)
	balancer := loadbalancer.New(loadbalancer.Options{
		Backends: map[config.LoadBalancerType]loadbalancer.Backend{
			config.LoadBalancerIPAM: ipam.New(ipam.Options{API: api, Config: now, Client: allowed, Events: events}),
		},
		Config: now, Client: allowed, Events: events,
	})
	ctx, cancel := context.WithCancel(context.Background())
	factory, ended := informers.NewSharedInformerFactory(allowed, 0), make(chan struct{})
	go func() { defer close(ended); balancer.Run(ctx, factory) }()
	t.Cleanup(func() { cancel(); <-ended; factory.Shutdown() })

	services := all.CoreV1().Services("default")
	class := "kube-vip.io/kube-vip-class"
	service, err := services.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: &class, Ports: []corev1.ServicePort{{Port: 80}},
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, LoadBalancerSourceRanges: []string{"192.0.2.0/24"},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	read := func() *corev1.Service {
		now, err := services.Get(context.Background(), service.Name, metav1.GetOptions{})
		require.NoError(t, err)
		return now
	}
	patch := func(patch string, subresources ...string) {
		_, err := services.Patch(t.Context(), service.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
		require.NoError(t, err)
	}
	eventually := func(so func() bool) {
		t.Helper()
		require.Eventually(t, so, loadbalancer.Deadline, 10*time.Millisecond)
	}
	eventually(func() bool { return read().Annotations[announced] == "127.72.7.10" })
	patch(`{"status":{"loadBalancer":{"ingress":[{"ip":"127.72.7.10"}]}}}`, "status")
	require.NoError(t, prism.UnreserveIP("vlan-7", "127.72.7.10"))
	eventually(func() bool { return len(prism.ReservedIPs("vlan-7")) == 1 })
	assert.Equal(t, "127.72.7.10", read().Status.LoadBalancer.Ingress[0].IP)

	patch(`{"metadata":{"annotations":{"` + loadbalancer.AnnotationAddress + `":"127.72.7.12"}}}`)
	eventually(func() bool {
		reserved := prism.ReservedIPs("vlan-7")
		return read().Annotations[announced] == "127.72.7.12" && len(reserved) == 1 && reserved[0].Address == "127.72.7.12"
	})
	patch(`{"spec":{"type":"ClusterIP","loadBalancerSourceRanges":null}}`)
	eventually(func() bool { return len(prism.ReservedIPs("vlan-7")) == 0 && len(read().Finalizers) == 0 })
	assert.NotContains(t, read().Annotations, announced)

	patch(`{"spec":{"type":"LoadBalancer","loadBalancerClass":"` + class + `"}}`)
	eventually(func() bool { return len(prism.ReservedIPs("vlan-7")) == 1 })
	require.NoError(t, services.Delete(t.Context(), service.Name, metav1.DeleteOptions{}))
	eventually(func() bool {
		_, err := services.Get(context.Background(), service.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err) && len(prism.ReservedIPs("vlan-7")) == 0
	})
}
