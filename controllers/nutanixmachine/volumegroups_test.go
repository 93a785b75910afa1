package nutanixmachine

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

const volumeGroup = "11111111-0000-4000-8000-000000000001"

// attach attaches a volume group to the VM of the machine, as a CSI driver does, and sets the power state of the VM.
func (e *testEnvironment) attach(powerState string) {
	e.T.Helper()
	vm := e.Prism.VMs()[0]
	vm.VolumeGroups, vm.PowerState = []string{volumeGroup}, powerState
	e.Prism.Put(vm)
}

// writes returns the number of requests that changed a VM.
func (e *testEnvironment) writes() int {
	writes := 0
	for _, request := range e.Prism.Requests() {
		if strings.HasPrefix(request, "PUT vms/") {
			writes++
		}
	}
	return writes
}

func (e *testEnvironment) requireAttached(part string) {
	e.T.Helper()
	require.False(e.T, e.Gone(e.NutanixMachine))
	e.requireFalse(infrav1.AppliedCondition, infrav1.VolumeGroupsAttachedReason)
	message := conditions.GetMessage(e.NutanixMachine, infrav1.AppliedCondition)
	assert.Contains(e.T, message, volumeGroup)
	assert.Contains(e.T, message, part)
	assert.True(e.T, conditions.IsTrue(e.NutanixMachine, infrav1.PlanRecordedCondition), "the destroy plan is kept")
	assert.Len(e.T, e.Prism.VMs(), 1)
}

func TestVolumeGroupsAreDetachedBeforeTheDestroy(t *testing.T) {
	for _, power := range []string{"ON", "OFF"} {
		t.Run(power, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			e.attach(power)
			e.delete()
			e.requireAttached("Prism Central is detaching them")
			assert.Equal(t, power, e.Prism.VMs()[0].PowerState, "the detach does not switch the VM on or off")
			assert.Empty(t, e.Prism.VMs()[0].VolumeGroups)
			assert.Equal(t, 1, e.writes())
			e.Advance(5 * time.Second)
			e.settle()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Empty(t, e.Prism.VMs())
			assert.Equal(t, []string{"open", "plan", "open", "apply"}, e.Terraform.Runs(), "nothing is planned again")
			assert.Contains(t, strings.Join(e.Recorder.All(), "\n"), "Normal VolumeGroupsDetached")
			assert.Contains(t, strings.Join(e.Recorder.All(), "\n"), volumeGroup)
		})
	}
}

func TestVolumeGroupsOfALivingMachineStay(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.attach("ON")
	e.Advance(10 * time.Minute)
	e.settle()
	assert.Zero(t, e.writes())
	assert.Len(t, e.Prism.VMs()[0].VolumeGroups, 1)
}

// If Prism Central does not detach the volume groups, the deletion waits and reports the reason. It continues when the
// volume groups are detached.
func TestDeletionWaitsAfterRefusedDetach(t *testing.T) {
	for name, detaching := range map[string]controllertest.Detaching{
		"conflict": {Status: http.StatusConflict}, "refused": {Status: http.StatusUnprocessableEntity}, "forbidden": {Status: http.StatusForbidden},
		"failed": {Failure: "Volume group at scsi.1 is in use and cannot be detached."},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			e.attach("ON")
			e.Prism.SetDetaching(detaching)
			e.delete()
			for range 3 {
				e.Advance(time.Minute)
				e.settle()
			}
			e.requireAttached("did not detach them")
			e.requireAttached(detaching.Failure)
			assert.Equal(t, 4, e.writes(), "one attempt in each run")
			assert.Contains(t, strings.Join(e.Recorder.All(), "\n"), "Warning VolumeGroupsAttached")

			vm := e.Prism.VMs()[0]
			vm.VolumeGroups = nil // somebody detaches the volume group
			e.Prism.Put(vm)
			e.Advance(time.Minute)
			e.settle()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Empty(t, e.Prism.VMs())
		})
	}
}

func TestRunningDetachIsNotRepeated(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.attach("ON")
	e.Prism.SetDetaching(controllertest.Detaching{Running: true})
	e.delete()
	for range 3 {
		e.Advance(time.Minute)
		e.settle()
	}
	e.requireAttached("Prism Central is detaching them")
	assert.Equal(t, 1, e.writes())
	e.Prism.SetDetaching(controllertest.Detaching{})
	e.Advance(time.Minute)
	e.settle()
	assert.Equal(t, 1, e.writes(), "the task has ended and the volume group is still attached: it is tried again")
	e.Advance(time.Minute)
	e.settle()
	assert.True(t, e.Gone(e.NutanixMachine))
}

func TestVMOfAnotherObjectIsNotChanged(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.attach("ON")
	vm := e.Prism.VMs()[0]
	vm.Description = "Managed by CAPNT, key another, NutanixMachine x/y"
	e.Prism.Put(vm)
	access, err := e.reconciler.Prism.Access(t.Context(), e.NutanixCluster)
	require.NoError(t, err)
	err = detacher{client: access.Client, machine: e.NutanixMachine, memory: &detachments{}}.detach(t.Context(), vm.UUID)
	require.Error(t, err)
	assert.Zero(t, e.writes())
}
