package scenario

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A MachineHealthCheck replaces two machines: the VM of the first one was switched off, and the VM of the second one
// was deleted. The manager reports the VM of the second machine as lost and does not create it again.
func TestMachineHealthCheckReplacesFailedMachines(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "health")
	c.Workers = 2
	c.apply()
	c.complete()
	workers := c.workers()
	require.Len(t, workers, 2)

	lost := workers[1].Status.VMUUID
	require.NoError(t, testStack.Prism.DeleteVM(lost))
	logf(t, "deleted VM %s in Prism Central", lost)
	c.waitForCondition("the loss to be reported", c.anyMachine, infrav1.AppliedCondition, infrav1.VMLostReason, "delete the Machine")

	dead := workers[0].Status.VMUUID
	powerOff(t, dead)
	require.NoError(t, testStack.Env.Client.Create(c.ctx, c.healthCheck()))

	c.must(testStack.Env.Wait(c.ctx, "both machines to be replaced", func(context.Context) (bool, string, error) {
		uuids := c.workerUUIDs()
		for _, uuid := range uuids {
			if uuid == dead || uuid == lost {
				return false, fmt.Sprint("still there: ", uuid), nil
			}
		}
		return len(uuids) == 2, fmt.Sprintf("%d workers", len(uuids)), nil
	}))
	c.complete()
	assert.Len(t, c.vms(), 3)
	c.plansClean()
}

func (c *cluster) healthCheck() *clusterv1.MachineHealthCheck {
	return &clusterv1.MachineHealthCheck{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name},
		Spec: clusterv1.MachineHealthCheckSpec{
			ClusterName: c.Name,
			Selector:    metav1.LabelSelector{MatchLabels: map[string]string{"role": "worker"}},
			Checks: clusterv1.MachineHealthCheckChecks{
				// Zero disables the timeout, because Nodes that start slowly must not count as unhealthy.
				NodeStartupTimeoutSeconds: ptr.To[int32](0),
				UnhealthyNodeConditions: []clusterv1.UnhealthyNodeCondition{
					{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, TimeoutSeconds: ptr.To[int32](1)},
					{Type: corev1.NodeReady, Status: corev1.ConditionFalse, TimeoutSeconds: ptr.To[int32](1)},
				},
			},
		},
	}
}
