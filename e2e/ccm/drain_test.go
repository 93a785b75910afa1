package ccm

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestDrainedNode: a cordon keeps the target, since a Node without Pods of the Service forwards to those that have some. The taint
// by which the cluster autoscaler says that it is about to delete the Node removes the target, though not by itself: the framework
// looks at it when a Node comes or goes, or the Service changes.
func TestDrainedNode(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Join("worker-2")
	w.Service("web", world.Ports(world.TCP(80)))
	_, address := w.Served("web")
	w.Balances("web", address, "worker-1", "worker-2")

	w.EditNode("worker-2", func(n *corev1.Node) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	})
	w.Join("worker-3")
	w.Balances("web", address, "worker-1", "worker-2", "worker-3")

	w.EditNode("worker-2", func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Effect: corev1.TaintEffectNoSchedule})
	})
	w.Join("worker-4")
	w.Balances("web", address, "worker-1", "worker-3", "worker-4")
}
