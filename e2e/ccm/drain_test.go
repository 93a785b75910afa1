package ccm

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// A cordoned Node stays a load balancer target, because its kube-proxy still forwards traffic to Nodes with endpoints.
// The ToBeDeletedByClusterAutoscaler taint removes the Node from the targets, but not immediately: the framework
// evaluates the taint only when a Node is added or removed, or when the Service changes.
func TestCordonedNodeStaysTarget_UntilAutoscalerTaint(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.Join("worker-2")
	f.CreateService("web", fixture.Ports(fixture.TCP(80)))
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1", "worker-2")

	f.EditNode("worker-2", func(n *corev1.Node) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	})
	f.Join("worker-3")
	f.WaitForSessions("web", address, "worker-1", "worker-2", "worker-3")

	f.EditNode("worker-2", func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Effect: corev1.TaintEffectNoSchedule})
	})
	f.Join("worker-4")
	f.WaitForSessions("web", address, "worker-1", "worker-3", "worker-4")
}
