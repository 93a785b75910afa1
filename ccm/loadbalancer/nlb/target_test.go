package nlb

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

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
