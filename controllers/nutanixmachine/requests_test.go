package nutanixmachine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/prism"
)

// machineLike creates another machine with the same spec.
func (e *testEnvironment) machineLike(name string) *infrav1.NutanixMachine {
	e.T.Helper()
	machine, infra := e.Machine.DeepCopy(), e.NutanixMachine.DeepCopy()
	machine.Name, infra.Name = name, name
	machine.ResourceVersion, machine.UID, infra.ResourceVersion, infra.UID = "", "", "", ""
	machine.Spec.InfrastructureRef.Name = name
	e.Create(machine)
	infra.Annotations, infra.Finalizers, infra.Spec.ProviderID, infra.Status = nil, nil, "", infrav1.NutanixMachineStatus{}
	infra.OwnerReferences[0].Name, infra.OwnerReferences[0].UID = name, machine.UID
	e.Create(infra)
	return infra
}

// planning is how long the plans of a new machine take on a busy manager.
const planning = 15 * time.Second

// create reconciles new machines, whose plans take some time, until they are ready. It returns the requests of the manager itself.
func (e *testEnvironment) create(machines ...*infrav1.NutanixMachine) []string {
	e.T.Helper()
	e.Prism.Requests()
	entered, release := e.Terraform.Hold("plan")
	defer release()
	for _, machine := range machines {
		e.Eventually("the plan is queued or under way", func() bool {
			_, err := e.Reconcile(e.reconciler, machine)
			require.NoError(e.T, err)
			require.False(e.T, e.Gone(machine))
			return conditions.GetReason(machine, infrav1.PlanRecordedCondition) == infrav1.PlanningReason
		})
	}
	<-entered
	e.Advance(planning)
	release()
	for _, machine := range machines {
		e.Settle(e.reconciler, kind, machine)
		require.True(e.T, machine.Status.Ready, "%+v", machine.Status.Conditions)
	}
	requests := e.Prism.Requests()
	e.T.Logf("%d requests for %d machines: %v", len(requests), len(machines), requests)
	return requests
}

// The manager itself sends at most 12 requests for the first machine of a template and at most 4 for each further one, until the machine
// does not change any more.
func TestMachinesOfOneTemplateShareLookUps(t *testing.T) {
	e := newTestEnvironment(t)
	spec := &e.NutanixMachine.Spec
	spec.Project = ptr.To(named("team"))
	spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	e.reconciler.HealthInterval = time.Hour
	e.CreateMachine(e.Environment)
	assert.LessOrEqual(t, len(e.create(e.NutanixMachine)), 12)
	var machines []*infrav1.NutanixMachine
	for i := range 4 {
		machines = append(machines, e.machineLike(fmt.Sprint("m-", i)))
	}
	assert.LessOrEqual(t, len(e.create(machines...)), 4*len(machines))
	for i := range 3 {
		e.Advance(time.Second)
		machine := e.machineLike(fmt.Sprint("later-", i))
		e.Settle(e.reconciler, kind, machine)
		for _, request := range e.Prism.Requests() {
			if i > 0 {
				assert.Contains(t, request, "vms", "only requests for the identity of the machine's own VM are repeated")
			}
		}
	}
}

// Several reconciles within a moment read the VM once. A VM that is switched off, and one of a machine that has something to do, is always
// read.
func TestReconcilesShareOneRead(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.ReadInterval = 2 * time.Second
	e.running()
	reads := func() int {
		e.Prism.Requests()
		_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
		require.NoError(t, err)
		require.False(t, e.Gone(e.NutanixMachine))
		read := "GET vms/" + e.NutanixMachine.Status.VMUUID
		return strings.Count(strings.Join(e.Prism.Requests(), "\n"), read)
	}
	e.Advance(2 * time.Second)
	assert.Equal(t, []int{1, 0, 0}, []int{reads(), reads(), reads()})
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	assert.Zero(t, reads())
	e.Advance(2 * time.Second)
	assert.Equal(t, []int{1, 1}, []int{reads(), reads()})
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)

	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "ON" })
	e.settle()
	e.Advance(time.Hour) // a check is due
	e.settle()
	e.Advance(time.Second)
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	assert.Positive(t, reads(), "the edit is planned with the present VM")
}

// After a read that failed or found no VM, no reconcile uses the VM that was read before.
func TestFailedReadForgetsTheVM(t *testing.T) {
	for name, status := range map[string]int{"refused": http.StatusForbidden, "not found": http.StatusNotFound} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.reconciler.ReadInterval = 2 * time.Second
			e.running()
			uuid := e.NutanixMachine.Status.VMUUID
			recent := func() *prism.VM {
				return e.reconciler.recent.get(e.reconciler.key(&scope{nutanixMachine: e.NutanixMachine}), uuid, e.reconciler.Pipeline.Clock.Now(), time.Minute)
			}
			require.NotNil(t, recent())
			e.Prism.Refuse("vms/"+uuid, status)
			e.Advance(2 * time.Second)
			_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
			require.NoError(t, err)
			require.False(t, e.Gone(e.NutanixMachine))
			assert.Nil(t, recent())
		})
	}
}

// While a run is queued or under way, reconciles send no requests.
func TestRunningMachineLooksUpNothing(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	entered, release := e.Terraform.Hold("plan")
	defer release()
	e.Eventually("the run is under way", func() bool {
		_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
		require.NoError(t, err)
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	e.Advance(time.Minute)
	e.Prism.Requests()
	for range 5 {
		result, err := e.Reconcile(e.reconciler, e.NutanixMachine)
		require.NoError(t, err)
		assert.Equal(t, e.reconciler.HealthInterval, result.RequeueAfter)
	}
	assert.Empty(t, e.Prism.Requests())
	require.False(t, e.Gone(e.NutanixMachine))
	assert.Equal(t, infrav1.PlanningReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	release()
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// A machine whose spec names something that does not exist sends fewer requests from attempt to attempt, however many events there are. An
// edit is a new attempt.
func TestMisconfiguredMachineBacksOff(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.SetPresent("ubuntu-1.36.3", false)
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason)
	assert.NotEmpty(t, e.Prism.Requests())
	var attempts []int
	for range 3 { // 15 minutes each
		sent := 0
		for range 15 * 60 / 15 {
			e.Advance(15 * time.Second)
			_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
			require.NoError(t, err)
			if len(e.Prism.Requests()) > 0 {
				sent++
			}
		}
		attempts = append(attempts, sent)
	}
	for _, sent := range attempts[1:] {
		assert.LessOrEqual(t, sent, 7, "%v", attempts)
		assert.GreaterOrEqual(t, sent, 2, "%v", attempts)
	}
	require.False(t, e.Gone(e.NutanixMachine))
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason)

	e.Prism.SetPresent("ubuntu-1.36.3", true)
	e.Advance(3 * time.Second) // the last attempt may just have been made, and its result is cached for two seconds
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize.Add(machine.Spec.MemorySize) })
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
}

// An edit of the cluster or the Machine, and a change of the credentials, is a new attempt, too.
func TestEditIsANewAttempt(t *testing.T) {
	for name, edit := range map[string]func(e *testEnvironment){
		"the cluster": func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.NutanixCluster, func(c *infrav1.NutanixCluster) { c.Spec.ControlPlaneEndpoint.Port++ })
		},
		"the Machine": func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.Machine, func(m *clusterv1.Machine) { m.Spec.Version = "v1.36.4" })
		},
		"the credentials": func(e *testEnvironment) {
			e.Prism.SetPassword("an0ther-passw0rd")
			e.ChangePassword(e.Environment, "an0ther-passw0rd")
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.ExpectNoLeak("an0ther-passw0rd")
			e.Prism.SetPresent("ubuntu-1.36.3", false)
			e.CreateMachine(e.Environment)
			e.settle()
			e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason)
			e.Prism.SetPresent("ubuntu-1.36.3", true)
			e.Advance(3 * time.Second)
			e.settle()
			e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason)
			edit(e)
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
		})
	}
}
