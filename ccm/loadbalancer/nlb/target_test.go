package nlb

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

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

// A virtual machine that failed over has a new UUID; its node keeps the provider ID.
func TestTargetsAreFoundAfterAFailover(t *testing.T) {
	const old, fresh = "cccccccc-0000-4000-8000-000000000000", "cccccccc-0000-4000-8000-00000000ffff"
	for name, move := range map[string]func(*nutanix.VM){
		"as Nutanix writes the attribute":        func(vm *nutanix.VM) { vm.CustomAttributes = []string{"providerid:" + old} },
		"with the whole provider ID":             func(vm *nutanix.VM) { vm.CustomAttributes = []string{"providerID: nutanix://" + old} },
		"by the BIOS UUID, without the category": func(vm *nutanix.VM) { vm.CategoryUUIDs, vm.BIOSUUID = nil, old },
	} {
		w := newWorld(t)
		w.nodes = w.nodes[:1]
		w.nodes[0].Status.NodeInfo.SystemUUID = old
		w.vms[0].UUID = fresh
		move(&w.vms[0])
		w.mustEnsure(newService(1))
		assert.Equal(t, []nutanix.Target{{NICUUID: "nic-0-0", Port: 30080}}, w.sessions[0].Targets, name)
	}
}

func TestTargetsStayWhenTwoVirtualMachinesCouldBeANode(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1))
	before := w.picture()
	w.vms[1].CustomAttributes = []string{"providerID:" + w.vms[0].UUID}
	_, err := w.ensure(newService(1))
	refusal := refusalOf(t, err)
	assert.Equal(t, ReasonAmbiguous, refusal.Reason)
	assert.Contains(t, refusal.Message, "(node-0)")
	assert.Contains(t, refusal.Message, "(node-1)")
	assert.Equal(t, before, w.picture())
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
		"ListReservedIPs " + vipsUUID, "ListReservedIPs " + otherVIPs, "ListReservedIPs " + nodesUUID}, w.calls, "nothing is changed, and nothing is asked for by node")
}

// What a backend that runs does with the second of many Services, or at the next repair.
func TestVPCSubnetsAndNodesAreAskedForOnceForAllServices(t *testing.T) {
	w := newWorld(t)
	w.cfg.Client.CacheTTL.Duration = time.Minute
	w.addNode(3)
	b := New(Options{API: w.prism, Config: func() config.Config { return w.cfg }, Events: w.events})
	for i := range 50 {
		_, err := b.Ensure(t.Context(), newService(i), w.nodes)
		require.NoError(t, err)
	}
	for _, list := range []string{"ListVPCs", "ListSubnets", "ListVMs", "ListCategories " + categoryKey} {
		assert.Equal(t, 1, count(w.calls, list), list)
	}
	assert.Len(t, w.told(), 1, "the node without a NIC is told of once")
	w.reset()
	_, err := b.Ensure(t.Context(), newService(1), w.nodes)
	require.NoError(t, err)
	assert.Len(t, w.calls, 5, "sessions, floating IPs, and reservations in three subnets: %v", w.calls)

	w.cfg.LoadBalancer.NLB.VPC = withUUID(vpcUUID)
	_, err = b.Ensure(t.Context(), newService(1), w.nodes)
	require.NoError(t, err)
	assert.Equal(t, 1, count(w.calls, "ListVPCs"), "another VPC is looked for at once")
}

func count(calls []string, call string) int {
	return len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return c != call }))
}
