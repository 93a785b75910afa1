package nlb

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
	"github.com/capnt/capnt/internal/providerid"
)

const inventory = `
prismElements: [{name: pe}]
categories: [{key: KubernetesClusterName, values: [prod]}]
vpcs: [{name: vpc, externalSubnets: [internet]}, {name: other, externalSubnets: [internet]}]
subnets:
- {name: vips, type: OVERLAY, vpc: vpc, cidr: 127.70.1.0/24, ipam: true, pools: [127.70.1.10-127.70.1.13]}
- {name: more-vips, type: OVERLAY, vpc: vpc, cidr: 127.70.2.0/24, ipam: true, pools: [127.70.2.10-127.70.2.13]}
- {name: nodes, type: OVERLAY, vpc: vpc, cidr: 127.70.3.0/24, ipam: true, pools: [127.70.3.10-127.70.3.19]}
- {name: their-vips, type: OVERLAY, vpc: other, cidr: 127.70.4.0/24, ipam: true, pools: [127.70.4.10-127.70.4.13]}
- {name: internet, prismElement: pe, vlanID: 9, cidr: 127.70.9.0/24, ipam: true, pools: [127.70.9.10-127.70.9.13], external: true}
`

// central is a simulated Prism Central, with the product's client and nodes that are virtual machines in it.
type central struct {
	t      *testing.T
	server *prismsim.Server
	client *nutanix.Client
	nodes  []*corev1.Node
	vms    []prismsim.VM
	// killed is the change that kills its caller, after it was made: the first is 1, 0 is none. Killed before one is the same
	// as killed after the one before.
	killed int
	// vpc and subnet are as configured.
	vpc, subnet string
}

func startCentral(t *testing.T) *central {
	t.Parallel() // most of the time is waiting for tasks
	server, client := prismtest.Start(t, inventory, prismsim.Options{}, nutanix.Limits{})
	vms, err := server.AddVMs(prismsim.Fleet{
		Count: 2, NamePrefix: "node", PrismElement: "pe", Subnets: []string{"nodes"}, Categories: map[string]string{categoryKey: cluster},
	})
	require.NoError(t, err)
	c := &central{t: t, server: server, client: client, vms: vms, vpc: "vpc", subnet: "vips"}
	for _, vm := range vms {
		c.nodes = append(c.nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: vm.Name}, Spec: corev1.NodeSpec{ProviderID: providerid.Format(vm.UUID)}})
	}
	return c
}

func (c *central) backend() *Backend {
	external := named("internet")
	cfg := config.Config{ClusterName: cluster, LoadBalancer: config.LoadBalancer{NLB: &config.NLB{
		VPC: named(c.vpc), Subnet: named(c.subnet), ExternalSubnet: &external,
		HealthCheck: config.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 3},
	}}}
	return New(Options{API: &killing{API: c.client, central: c}, Config: func() config.Config { return cfg }, Events: record.NewFakeRecorder(100)})
}

// killing kills its caller at a change.
type killing struct {
	nutanix.API
	central *central
}

func changed[T any](k *killing, do func() (T, error)) (T, error) {
	result, err := do()
	k.central.killed--
	if k.central.killed == 0 {
		panic(errKilled)
	}
	return result, err
}

func changedOnly(k *killing, do func() error) error {
	_, err := changed(k, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (k *killing) ReserveIP(ctx context.Context, subnet string, address netip.Addr, owner string) (netip.Addr, error) {
	return changed(k, func() (netip.Addr, error) { return k.API.ReserveIP(ctx, subnet, address, owner) })
}

func (k *killing) UnreserveIPs(ctx context.Context, subnet string, addresses ...netip.Addr) error {
	return changedOnly(k, func() error { return k.API.UnreserveIPs(ctx, subnet, addresses...) })
}

func (k *killing) CreateLoadBalancerSession(ctx context.Context, s nutanix.LoadBalancerSession) (nutanix.LoadBalancerSession, error) {
	return changed(k, func() (nutanix.LoadBalancerSession, error) { return k.API.CreateLoadBalancerSession(ctx, s) })
}

func (k *killing) UpdateLoadBalancerSession(ctx context.Context, s nutanix.LoadBalancerSession) error {
	return changedOnly(k, func() error { return k.API.UpdateLoadBalancerSession(ctx, s) })
}

func (k *killing) DeleteLoadBalancerSession(ctx context.Context, s nutanix.LoadBalancerSession) error {
	return changedOnly(k, func() error { return k.API.DeleteLoadBalancerSession(ctx, s) })
}

func (k *killing) CreateFloatingIP(ctx context.Context, ip nutanix.FloatingIP) (nutanix.FloatingIP, error) {
	return changed(k, func() (nutanix.FloatingIP, error) { return k.API.CreateFloatingIP(ctx, ip) })
}

func (k *killing) UpdateFloatingIP(ctx context.Context, ip nutanix.FloatingIP) error {
	return changedOnly(k, func() error { return k.API.UpdateFloatingIP(ctx, ip) })
}

func (k *killing) DeleteFloatingIP(ctx context.Context, ip nutanix.FloatingIP) error {
	return changedOnly(k, func() error { return k.API.DeleteFloatingIP(ctx, ip) })
}

// change makes the Service be as it says; nil deletes it.
func (c *central) change(to *corev1.Service) error {
	return attempt(func() error {
		if to == nil {
			return c.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(1)))
		}
		_, err := c.backend().Ensure(context.Background(), to, c.nodes)
		return err
	})
}

// picture is what clients made, without UUIDs.
func (c *central) picture() []string {
	var lines []string
	for _, r := range c.server.ReservedIPs("") {
		lines = append(lines, fmt.Sprintf("reserved %s by %s", r.Address, r.ClientContext))
	}
	names := map[string]string{"": ""}
	for _, s := range c.server.LoadBalancerSessions() {
		names[s.UUID] = s.Name
		var targets []string
		for _, target := range s.Targets {
			at := slices.IndexFunc(c.vms, func(vm prismsim.VM) bool { return vm.UUID == target.VM })
			targets = append(targets, fmt.Sprintf("%s:%d", c.vms[at].Name, target.Port))
		}
		slices.Sort(targets)
		lines = append(lines, fmt.Sprintf("session %s %s %s:%s static %t to %v", s.Name, s.Protocol, s.VirtualIP, s.Ports, s.Static, targets))
	}
	for _, ip := range c.server.FloatingIPs() {
		lines = append(lines, fmt.Sprintf("floating IP %s to %s session %q", ip.Name, ip.PrivateIP, names[ip.Session]))
	}
	slices.Sort(lines)
	return lines
}
