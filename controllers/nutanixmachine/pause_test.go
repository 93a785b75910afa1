package nutanixmachine

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
)

// pauses are the ways to pause a machine.
var pauses = map[string]func(w *world, paused bool){
	"the Cluster": func(w *world, paused bool) {
		controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(paused) })
	},
	"the annotation": func(w *world, paused bool) {
		mutate(w, func(machine *infrav1.NutanixMachine) {
			delete(machine.Annotations, clusterv1.PausedAnnotation)
			if paused {
				machine.Annotations[clusterv1.PausedAnnotation] = ""
			}
		})
	},
}

// reconcileUntil reconciles until something holds.
func (w *world) reconcileUntil(what string, condition func() bool) {
	w.T.Helper()
	w.Eventually(what, func() bool {
		_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
		require.NoError(w.T, err)
		return condition()
	})
}

// holdRun reconciles until a call of the verb is held.
func (w *world) holdRun(verb string) (release func()) {
	w.T.Helper()
	entered, release := w.Terraform.Hold(verb)
	w.T.Cleanup(release)
	w.reconcileUntil(verb+" is held", func() bool {
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	return release
}

func (w *world) requirePaused(paused bool) {
	w.T.Helper()
	require.False(w.T, w.Gone(w.NutanixMachine))
	require.Equal(w.T, paused, conditions.IsTrue(w.NutanixMachine, infrav1.PausedCondition))
	_, blocks := w.NutanixMachine.Annotations[clusterctlv1.BlockMoveAnnotation]
	require.Equal(w.T, !paused, blocks, "clusterctl may move what is paused, and nothing else: %v", w.NutanixMachine.Annotations)
}

func TestMachineIsPausedWhenItsRunHasEnded(t *testing.T) {
	for name, pause := range pauses {
		for _, verb := range []string{"plan", "apply"} {
			t.Run(verb+" under way, by "+name, func(t *testing.T) {
				w := newWorld(t)
				w.CreateMachine(w.Bed)
				release := w.holdRun(verb)
				pause(w, true)
				for range 3 {
					_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
					require.NoError(t, err)
					w.requirePaused(false)
				}
				release()
				w.reconcileUntil("paused", func() bool {
					return !w.Gone(w.NutanixMachine) && conditions.IsTrue(w.NutanixMachine, infrav1.PausedCondition)
				})
				w.requirePaused(true)
				vms := len(w.Prism.VMs())
				w.Terraform.Runs()
				w.settle()
				assert.Empty(t, w.Terraform.Runs(), "no run starts")
				assert.Len(t, w.Prism.VMs(), vms)

				pause(w, false)
				w.settle()
				w.requirePaused(false)
				assert.True(t, w.NutanixMachine.Status.Ready)
				assert.Len(t, w.Prism.VMs(), 1)
			})
		}
	}
}

func TestQueuedRunOfPausedMachineIsWithdrawn(t *testing.T) {
	w := newWorld(t)
	busy := make(chan struct{})
	release := sync.OnceFunc(func() { close(busy) })
	t.Cleanup(release)
	for _, key := range []string{"a", "b"} {
		entered := make(chan struct{})
		require.True(t, w.Pipeline.Pool.Submit("none", key, nil, func(context.Context) { close(entered); <-busy }))
		<-entered
	}
	w.CreateMachine(w.Bed)
	key := func() string { return lifecycle.Target{Object: w.NutanixMachine, Kind: kind}.Key() }
	w.reconcileUntil("a run is queued", func() bool { return w.Pipeline.Pool.Running(key()) })
	pauses["the Cluster"](w, true)
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	w.requirePaused(true)
	release()
	w.settle()
	assert.Empty(t, w.Terraform.Runs(), "the run that was queued never begins")
	pauses["the Cluster"](w, false)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
}

func TestPauseDuringDeletion(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.requirePaused(false)
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	release := w.holdRun("plan")
	pauses["the Cluster"](w, true)
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	w.requirePaused(false)
	release()
	w.reconcileUntil("paused", func() bool {
		return !w.Gone(w.NutanixMachine) && conditions.IsTrue(w.NutanixMachine, infrav1.PausedCondition)
	})
	w.requirePaused(true)
	w.Terraform.Runs()
	w.settle()
	assert.Empty(t, w.Terraform.Runs(), "the destroy plan is not applied")
	assert.Len(t, w.Prism.VMs(), 1)
	pauses["the Cluster"](w, false)
	w.settle()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}

// clusterctl deletes what it has moved. It replaces all annotations when it does, then removes the finalizers, and may be
// interrupted in between.
func TestMovedMachineLeavesItsVM(t *testing.T) {
	for name, pause := range map[string]bool{"while the Cluster is paused": true, "when somebody unpaused the Cluster": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			pauses["the Cluster"](w, pause)
			w.settle()
			mutate(w, func(machine *infrav1.NutanixMachine) {
				machine.Annotations = map[string]string{clusterctlv1.DeleteForMoveAnnotation: ""}
			})
			w.Terraform.Runs()
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Empty(t, w.Terraform.Runs())
			assert.Len(t, w.Prism.VMs(), 1, "the virtual machine belongs to the copy in the other management cluster")
		})
	}
}
