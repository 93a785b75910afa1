package nlb

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

func named(name string) config.Identifier { return config.Identifier{Type: "name", Name: name} }

func withUUID(uuid string) config.Identifier { return config.Identifier{Type: "uuid", UUID: uuid} }

func TestPreflightNamesTheFieldAndWhatToDo(t *testing.T) {
	pointer := func(id config.Identifier) *config.Identifier { return &id }
	for name, tc := range map[string]struct {
		change func(w *world, nlb *config.NLB)
		says   []string
	}{
		"everything is there":          {func(*world, *config.NLB) {}, nil},
		"by UUID":                      {func(_ *world, nlb *config.NLB) { nlb.VPC, nlb.Subnet = withUUID(vpcUUID), withUUID(vipsUUID) }, nil},
		"no such VPC":                  {func(_ *world, nlb *config.NLB) { nlb.VPC = named("gone") }, []string{"loadBalancer.nlb.vpc", `"gone"`, "role"}},
		"no such subnet":               {func(_ *world, nlb *config.NLB) { nlb.Subnet = named("gone") }, []string{"loadBalancer.nlb.subnet", `"gone"`, "in VPC vpc"}},
		"subnet of another VPC":        {func(_ *world, nlb *config.NLB) { nlb.Subnet = withUUID(foreignUUID) }, []string{"loadBalancer.nlb.subnet", foreignUUID, "in VPC vpc"}},
		"two subnets of one name":      {func(w *world, _ *config.NLB) { w.subnets[1].Name = "vips" }, []string{"loadBalancer.nlb.subnet", "2 of that name", "give the UUID"}},
		"a name of another VPC too":    {func(w *world, _ *config.NLB) { w.subnets[4].Name = "vips" }, nil},
		"subnet without addresses":     {func(w *world, _ *config.NLB) { w.subnets[0].Prefix = netip.Prefix{} }, []string{"loadBalancer.nlb.subnet", "does not manage"}},
		"no such subnet of nodes":      {func(_ *world, nlb *config.NLB) { nlb.NodeSubnet = pointer(named("gone")) }, []string{"loadBalancer.nlb.nodeSubnet"}},
		"no such external subnet":      {func(_ *world, nlb *config.NLB) { nlb.ExternalSubnet = pointer(named("gone")) }, []string{"loadBalancer.nlb.externalSubnet"}},
		"external subnet is none":      {func(_ *world, nlb *config.NLB) { nlb.ExternalSubnet = pointer(withUUID(foreignUUID)) }, []string{"loadBalancer.nlb.externalSubnet", "NAT"}},
		"external subnet without NAT":  {func(w *world, _ *config.NLB) { w.subnets[3].IsNAT = false }, []string{"loadBalancer.nlb.externalSubnet", "NAT"}},
		"the subnet of the other type": {func(w *world, _ *config.NLB) { w.cfg.LoadBalancer.IPAM = &config.IPAM{Subnet: named("vips")} }, []string{"loadBalancer.nlb.subnet", "loadBalancer.ipam.subnet"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w, w.cfg.LoadBalancer.NLB)
			err := w.backend().Preflight(context.Background())
			if tc.says == nil {
				require.NoError(t, err)
				return
			}
			refusal := refusalOf(t, err)
			assert.Equal(t, ReasonConfiguration, refusal.Reason)
			assert.True(t, refusal.Retry)
			for _, text := range tc.says {
				assert.Contains(t, refusal.Message, text)
			}
		})
	}
}

func TestASubnetOfAnAnnotationIsNamedAsSuch(t *testing.T) {
	w := newWorld(t)
	_, err := w.ensure(newService(1, withSubnet("vlan")))
	refusal := refusalOf(t, err)
	assert.Equal(t, ReasonConfiguration, refusal.Reason)
	assert.Contains(t, refusal.Message, "annotation nutanix.com/load-balancer-subnet")
	assert.Zero(t, w.pieces())
}

func TestWithoutConfigurationNothingIsDone(t *testing.T) {
	w := newWorld(t)
	w.cfg.LoadBalancer.NLB = nil
	require.NoError(t, w.backend().Preflight(context.Background()))
	_, err := w.ensure(newService(1))
	assert.Contains(t, refusalOf(t, err).Message, "loadBalancer.nlb")
	_, _, err = w.backend().Status(context.Background(), newService(1))
	require.Error(t, err)
	require.Error(t, w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(1))))
	assert.Empty(t, w.calls)
}

func TestAWrongVPCIsNoReasonToCallADeletionDone(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1))
	w.cfg.LoadBalancer.NLB.VPC = named("typo")
	err := w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(1)))
	assert.Equal(t, ReasonConfiguration, refusalOf(t, err).Reason)
	assert.Equal(t, 2, w.pieces())
}

func TestReservationsOfTheOtherTypeAreNotTouched(t *testing.T) {
	w := newWorld(t)
	w.cfg.LoadBalancer.IPAM = &config.IPAM{Subnet: named("more-vips")}
	service := newService(1)
	theirs := reservation{otherVIPs, netip.MustParseAddr("10.1.0.9")}
	w.reserved[theirs] = loadbalancer.OwnerOf(cluster, service).Context()
	w.mustEnsure(service)
	w.mustDelete(service)
	assert.Contains(t, w.reserved, theirs)
	_, found, err := w.backend().Status(context.Background(), service)
	require.NoError(t, err)
	assert.False(t, found)
}

func TestTargetsAreNICsInTheVPC(t *testing.T) {
	w := newWorld(t)
	w.addNode(3, foreignUUID, nodesUUID, vipsUUID)
	w.addNode(4, foreignUUID)
	w.addNode(5)
	w.nodes[0].Spec.ProviderID = "aws:///i-1"
	w.vms[1].UUID = "cccccccc-0000-4000-8000-00000000ffff" // a failover made it anew
	w.vms[1].CustomAttributes = []string{"other:x", "providerID:CCCCCCCC-0000-4000-8000-000000000001"}
	w.vms[2].CategoryUUIDs = nil
	w.nodes = append(w.nodes, newNode("lost", "nutanix://cccccccc-0000-4000-8000-0000000000aa"))
	w.mustEnsure(newService(1))
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic-1-0", Port: 30080}, {NICUUID: "nic-2-0", Port: 30080}, {NICUUID: "nic-3-1", Port: 30080}}, w.sessions[0].Targets)
	assert.Equal(t, []string{
		`Warning LoadBalancerTargetMissing network load balancers send no traffic to this node: its provider ID "aws:///i-1" names no virtual machine`,
		"Warning LoadBalancerTargetMissing network load balancers send no traffic to this node: its virtual machine node-4 has no NIC in VPC vpc (loadBalancer.nlb.vpc)",
		"Warning LoadBalancerTargetMissing network load balancers send no traffic to this node: its virtual machine node-5 has no NIC in VPC vpc (loadBalancer.nlb.vpc)",
		"Warning LoadBalancerTargetMissing network load balancers send no traffic to this node: its virtual machine cccccccc-0000-4000-8000-0000000000aa does not exist",
	}, w.told())
}

func newNode(name, providerID string) *corev1.Node {
	node := &corev1.Node{Spec: corev1.NodeSpec{ProviderID: providerID}}
	node.Name = name
	return node
}

// told drains the Events.
func (w *world) told() []string {
	var events []string
	for len(w.events.Events) > 0 {
		events = append(events, <-w.events.Events)
	}
	return events
}

func TestTargetsAreInTheSubnetOfNodesIfThereIsOne(t *testing.T) {
	w := newWorld(t)
	w.addNode(3, vipsUUID, nodesUUID)
	w.addNode(4, vipsUUID)
	nodeSubnet := named("nodes")
	w.cfg.LoadBalancer.NLB.NodeSubnet = &nodeSubnet
	w.mustEnsure(newService(1, annotated(loadbalancer.AnnotationNodeSelector, "number in (3,4)")))
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic-3-1", Port: 30080}}, w.sessions[0].Targets)
	require.Len(t, w.events.Events, 1)
	assert.Contains(t, <-w.events.Events, "loadBalancer.nlb.nodeSubnet")
}

func TestNoTargetsAreAnEventOfTheService(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1, annotated(loadbalancer.AnnotationNodeSelector, "number=none")))
	assert.Empty(t, w.sessions[0].Targets)
	require.Len(t, w.events.Events, 1)
	assert.Contains(t, <-w.events.Events, "Warning NoLoadBalancerTargets no node gets traffic: the annotation nutanix.com/load-balancer-node-selector")
}

func TestNodesCostOneListOfVMs(t *testing.T) {
	w := newWorld(t)
	for i := 3; i < 200; i++ {
		w.addNode(i, nodesUUID)
	}
	w.mustEnsure(newService(1))
	w.reset()
	w.mustEnsure(newService(1))
	assert.Equal(t, []string{"ListVPCs", "ListSubnets", "ListCategories " + categoryKey, "ListVMs", "ListLoadBalancerSessions", "ListFloatingIPs",
		"ListReservedIPs", "ListReservedIPs", "ListReservedIPs"}, w.calls, "nothing is changed, and nothing is asked for by node")
}
