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

// attach attaches a volume group to the VM of the machine, as a CSI driver does, and switches the VM off or on.
func (w *world) attach(powerState string) {
	w.T.Helper()
	vm := w.Prism.VMs()[0]
	vm.VolumeGroups, vm.PowerState = []string{volumeGroup}, powerState
	w.Prism.Put(vm)
}

// writes are the requests that change a VM.
func (w *world) writes() int {
	writes := 0
	for _, request := range w.Prism.Requests() {
		if strings.HasPrefix(request, "PUT vms/") {
			writes++
		}
	}
	return writes
}

func (w *world) requireAttached(part string) {
	w.T.Helper()
	require.False(w.T, w.Gone(w.NutanixMachine))
	w.requireFalse(infrav1.AppliedCondition, infrav1.VolumeGroupsAttachedReason)
	message := conditions.GetMessage(w.NutanixMachine, infrav1.AppliedCondition)
	assert.Contains(w.T, message, volumeGroup)
	assert.Contains(w.T, message, part)
	assert.True(w.T, conditions.IsTrue(w.NutanixMachine, infrav1.PlanRecordedCondition), "the destroy plan is kept")
	assert.Len(w.T, w.Prism.VMs(), 1)
}

func TestVolumeGroupsAreDetachedBeforeTheDestroy(t *testing.T) {
	for _, power := range []string{"ON", "OFF"} {
		t.Run(power, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			w.attach(power)
			w.delete()
			w.requireAttached("Prism Central is detaching them")
			assert.Equal(t, power, w.Prism.VMs()[0].PowerState, "the detach does not switch the VM on or off")
			assert.Empty(t, w.Prism.VMs()[0].VolumeGroups)
			assert.Equal(t, 1, w.writes())
			w.Advance(5 * time.Second)
			w.settle()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Empty(t, w.Prism.VMs())
			assert.Equal(t, []string{"open", "plan", "open", "open", "apply"}, w.Terraform.Runs(), "nothing is planned again")
			assert.Contains(t, strings.Join(w.Recorder.All(), "\n"), "Normal VolumeGroupsDetached")
			assert.Contains(t, strings.Join(w.Recorder.All(), "\n"), volumeGroup)
		})
	}
}

func TestVolumeGroupsOfALivingMachineStay(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.attach("ON")
	w.Advance(10 * time.Minute)
	w.settle()
	assert.Zero(t, w.writes())
	assert.Len(t, w.Prism.VMs()[0].VolumeGroups, 1)
}

// However Prism Central refuses, the deletion waits, says so, and goes on by itself when the volume groups are gone.
func TestRefusedDetachIsWaitedFor(t *testing.T) {
	for name, detaching := range map[string]controllertest.Detaching{
		"conflict": {Status: http.StatusConflict}, "refused": {Status: http.StatusUnprocessableEntity}, "forbidden": {Status: http.StatusForbidden},
		"failed": {Failure: "Volume group at scsi.1 is in use and cannot be detached."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			w.attach("ON")
			w.Prism.SetDetaching(detaching)
			w.delete()
			for range 3 {
				w.Advance(time.Minute)
				w.settle()
			}
			w.requireAttached("did not detach them")
			w.requireAttached(detaching.Failure)
			assert.Equal(t, 4, w.writes(), "one attempt in each run")
			assert.Contains(t, strings.Join(w.Recorder.All(), "\n"), "Warning VolumeGroupsAttached")

			vm := w.Prism.VMs()[0]
			vm.VolumeGroups = nil // a person detaches it
			w.Prism.Put(vm)
			w.Advance(time.Minute)
			w.settle()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Empty(t, w.Prism.VMs())
		})
	}
}

func TestDetachUnderWayIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.attach("ON")
	w.Prism.SetDetaching(controllertest.Detaching{Running: true})
	w.delete()
	for range 3 {
		w.Advance(time.Minute)
		w.settle()
	}
	w.requireAttached("Prism Central is detaching them")
	assert.Equal(t, 1, w.writes())
	w.Prism.SetDetaching(controllertest.Detaching{})
	w.Advance(time.Minute)
	w.settle()
	assert.Equal(t, 1, w.writes(), "the task has ended and the volume group is still attached: it is tried again")
	w.Advance(time.Minute)
	w.settle()
	assert.True(t, w.Gone(w.NutanixMachine))
}

func TestVMOfAnotherObjectIsNotChanged(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.attach("ON")
	vm := w.Prism.VMs()[0]
	vm.Description = "Managed by CAPNT, key another, NutanixMachine x/y"
	w.Prism.Put(vm)
	access, err := w.reconciler.Prism.Access(t.Context(), w.NutanixCluster)
	require.NoError(t, err)
	err = detacher{client: access.Client, machine: w.NutanixMachine, memory: &detachments{}}.detach(t.Context(), vm.UUID)
	require.Error(t, err)
	assert.Zero(t, w.writes())
}
