package nutanixmachine

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/schedule"
)

// pauses contains the two methods of pausing a machine.
var pauses = map[string]func(e *testEnvironment, paused bool){
	"the Cluster": func(e *testEnvironment, paused bool) {
		controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(paused) })
	},
	"the annotation": func(e *testEnvironment, paused bool) {
		mutate(e, func(machine *infrav1.NutanixMachine) {
			delete(machine.Annotations, clusterv1.PausedAnnotation)
			if paused {
				machine.Annotations[clusterv1.PausedAnnotation] = ""
			}
		})
	},
}

// reconcileUntil reconciles until condition returns true.
func (e *testEnvironment) reconcileUntil(what string, condition func() bool) {
	e.T.Helper()
	e.Eventually(what, func() bool {
		_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
		require.NoError(e.T, err)
		return condition()
	})
}

// holdRun reconciles until a run calls the method that verb names. That method then blocks until release is called.
func (e *testEnvironment) holdRun(verb string) (release func()) {
	e.T.Helper()
	entered, release := e.Terraform.Hold(verb)
	e.T.Cleanup(release)
	e.reconcileUntil(verb+" is held", func() bool {
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	return release
}

func (e *testEnvironment) requirePaused(paused bool) {
	e.T.Helper()
	require.False(e.T, e.Gone(e.NutanixMachine))
	require.Equal(e.T, paused, conditions.IsTrue(e.NutanixMachine, infrav1.PausedCondition))
	_, blocks := e.NutanixMachine.Annotations[clusterctlv1.BlockMoveAnnotation]
	require.Equal(e.T, !paused, blocks, "clusterctl may move what is paused, and nothing else: %v", e.NutanixMachine.Annotations)
}

func TestMachineIsPausedAfterItsRunEnds(t *testing.T) {
	for name, pause := range pauses {
		for _, verb := range []string{"plan", "apply"} {
			t.Run(verb+" under way, by "+name, func(t *testing.T) {
				e := newTestEnvironment(t)
				e.CreateMachine(e.Environment)
				release := e.holdRun(verb)
				pause(e, true)
				for range 3 {
					_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
					require.NoError(t, err)
					e.requirePaused(false)
				}
				release()
				e.reconcileUntil("paused", func() bool {
					return !e.Gone(e.NutanixMachine) && conditions.IsTrue(e.NutanixMachine, infrav1.PausedCondition)
				})
				e.requirePaused(true)
				vms := len(e.Prism.VMs())
				e.Terraform.Runs()
				e.settle()
				assert.Empty(t, e.Terraform.Runs(), "no run starts")
				assert.Len(t, e.Prism.VMs(), vms)

				pause(e, false)
				e.settle()
				e.requirePaused(false)
				assert.True(t, e.NutanixMachine.Status.Ready)
				assert.Len(t, e.Prism.VMs(), 1)
			})
		}
	}
}

func TestQueuedRunOfPausedMachineIsWithdrawn(t *testing.T) {
	e := newTestEnvironment(t)
	busy := make(chan struct{})
	release := sync.OnceFunc(func() { close(busy) })
	t.Cleanup(release)
	for _, key := range []string{"a", "b"} {
		entered := make(chan struct{})
		require.True(t, e.Pipeline.Scheduler.Submit(schedule.Run{Key: key, Kind: "none", Do: func(context.Context) { close(entered); <-busy }}))
		<-entered
	}
	e.CreateMachine(e.Environment)
	key := func() string { return lifecycle.Target{Object: e.NutanixMachine, Kind: kind}.Key() }
	e.reconcileUntil("a run is queued", func() bool { return e.Pipeline.Scheduler.Running(key()) })
	pauses["the Cluster"](e, true)
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	e.requirePaused(true)
	release()
	e.settle()
	assert.Empty(t, e.Terraform.Runs(), "the run that was queued never begins")
	pauses["the Cluster"](e, false)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

func TestPauseDuringDeletion(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.requirePaused(false)
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	release := e.holdRun("plan")
	pauses["the Cluster"](e, true)
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	e.requirePaused(false)
	release()
	e.reconcileUntil("paused", func() bool {
		return !e.Gone(e.NutanixMachine) && conditions.IsTrue(e.NutanixMachine, infrav1.PausedCondition)
	})
	e.requirePaused(true)
	e.Terraform.Runs()
	e.settle()
	assert.Empty(t, e.Terraform.Runs(), "the destroy plan is not applied")
	assert.Len(t, e.Prism.VMs(), 1)
	pauses["the Cluster"](e, false)
	e.settle()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

// clusterctl deletes an object after it has moved the object. It first replaces all annotations and then removes the
// finalizers, and it may be interrupted between these steps.
func TestMovedMachineKeepsItsVM(t *testing.T) {
	for name, pause := range map[string]bool{"while the Cluster is paused": true, "when somebody unpaused the Cluster": false} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			pauses["the Cluster"](e, pause)
			e.settle()
			mutate(e, func(machine *infrav1.NutanixMachine) {
				machine.Annotations = map[string]string{clusterctlv1.DeleteForMoveAnnotation: ""}
			})
			e.Terraform.Runs()
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Empty(t, e.Terraform.Runs())
			assert.Len(t, e.Prism.VMs(), 1, "the virtual machine belongs to the copy in the other management cluster")
		})
	}
}

func TestMovedMachineIsReleasedAfterItsRunEnds(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Advance(10 * time.Minute)
	release := e.holdRun("plan")
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Annotations = map[string]string{clusterctlv1.DeleteForMoveAnnotation: ""}
	})
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	for range 3 {
		_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
		require.NoError(t, err)
		require.False(t, e.Gone(e.NutanixMachine), "the run may still write the state")
	}
	release()
	e.reconcileUntil("released", func() bool { return e.Gone(e.NutanixMachine) })
	assert.Len(t, e.Prism.VMs(), 1)
}

// clusterctl move does not carry the status. The other manager makes the plan that waits again and publishes the VM meanwhile.
func TestMovedMachineIsReady_WhileItsPlanWaits(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.MemoryMiB = 8192 })
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status = infrav1.NutanixMachineStatus{}
	})
	e.reconciler.Pipeline.Init()
	e.settle()
	e.requireWaiting("memory_size_mib")
	assert.Equal(t, e.Prism.VMs()[0].UUID, e.NutanixMachine.Status.VMUUID)
	assert.NotEmpty(t, e.NutanixMachine.Status.Addresses)
	assert.True(t, ptr.Deref(e.NutanixMachine.Status.Initialization.Provisioned, false))
}
