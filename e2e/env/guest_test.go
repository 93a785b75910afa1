package env_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/guest"
)

// monitorGrace is the hypervisor's MonitorGrace in the tests.
const monitorGrace = 2 * time.Second

// assertPowerCuts powers both machines off and on again. The Ready condition of their Nodes must become Unknown and
// then True. The control plane must continue with the etcd data on its disk.
func assertPowerCuts(ctx context.Context, t *testing.T, f *fixture, workload client.Client) {
	t.Helper()
	var controlPlane, worker guest.State
	for _, state := range f.hypervisor.States() {
		require.Empty(t, state.Failure)
		if state.ControlPlane {
			controlPlane = state
		} else {
			worker = state
		}
	}
	f.hypervisor.PowerOff(worker.UUID)
	waitForNode(ctx, t, f, workload, worker.Node, corev1.ConditionUnknown)
	f.hypervisor.PowerOn(f.provider.vm(worker.VM))
	waitForNode(ctx, t, f, workload, worker.Node, corev1.ConditionTrue)

	f.hypervisor.PowerOff(controlPlane.UUID)
	require.Empty(t, f.hypervisor.Processes())
	require.Error(t, workload.Get(ctx, client.ObjectKey{Name: worker.Node}, &corev1.Node{}))
	f.hypervisor.PowerOn(f.provider.vm(controlPlane.VM))
	waitForNode(ctx, t, f, workload, worker.Node, corev1.ConditionTrue)
}

func waitForNode(ctx context.Context, t *testing.T, f *fixture, workload client.Client, name string, want corev1.ConditionStatus) {
	t.Helper()
	require.NoError(t, f.Wait(ctx, "Node "+name+" to have Ready="+string(want), func(ctx context.Context) (bool, string, error) {
		var node corev1.Node
		if err := workload.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return false, err.Error(), nil
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				return condition.Status == want, string(condition.Status), nil
			}
		}
		return false, "no such condition", nil
	}))
}

// assertDrain runs a Pod on the worker and scales the workers down. The drain can complete because the simulated
// kubelet removes the evicted Pod.
func assertDrain(ctx context.Context, t *testing.T, f *fixture, workload client.Client) {
	t.Helper()
	var deployment clusterv1.MachineDeployment
	require.NoError(t, f.Client.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "small-md-0"}, &deployment))
	var machines clusterv1.MachineList
	require.NoError(t, f.Client.List(ctx, &machines, client.MatchingLabels{clusterv1.MachineDeploymentNameLabel: deployment.Name}))
	require.Len(t, machines.Items, 1)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "web"},
		Spec: corev1.PodSpec{
			NodeName: machines.Items[0].Status.NodeRef.Name, Containers: []corev1.Container{{Name: "web", Image: "web"}},
		},
	}
	require.NoError(t, workload.Create(ctx, pod))
	require.NoError(t, f.Wait(ctx, "Pod web to run", func(ctx context.Context) (bool, string, error) {
		err := workload.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.Status.Phase == corev1.PodRunning, string(pod.Status.Phase), err
	}))

	before := deployment.DeepCopy()
	deployment.Spec.Replicas = new(int32)
	require.NoError(t, f.Client.Patch(ctx, &deployment, client.MergeFrom(before)))
	require.NoError(t, f.WaitForGone(ctx, &machines.Items[0]))
	require.True(t, apierrors.IsNotFound(workload.Get(ctx, client.ObjectKeyFromObject(pod), pod)))
}
