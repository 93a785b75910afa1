package nutanixmachine

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

// detachFixture contains a VM with an attached volume group and its detacher.
type detachFixture struct {
	detacher
	prism   *controllertest.Prism
	vm      controllertest.VM
	reasons []string // reasons of the events
}

func newDetachFixture(t *testing.T) *detachFixture {
	t.Helper()
	t.Parallel()
	f := &detachFixture{prism: controllertest.NewPrism(), vm: controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "m", VolumeGroups: []string{volumeGroup}}}
	t.Cleanup(f.prism.Close)
	f.prism.Put(f.vm)
	host, port := f.prism.HostPort()
	client, err := prism.New(prism.Upstream{Address: net.JoinHostPort(host, strconv.Itoa(int(port))), CABundle: f.prism.Bundle(),
		Username: controllertest.Username, Password: controllertest.Password}, prism.Options{})
	require.NoError(t, err)
	f.detacher = detacher{client: client, machine: &infrav1.NutanixMachine{}, memory: &detachments{},
		event: func(event lifecycle.Event) { f.reasons = append(f.reasons, event.Reason) }}
	return f
}

// requireWait calls detach and requires that the destroy waits with the reason.
func (f *detachFixture) requireWait(t *testing.T, reason string) {
	t.Helper()
	var wait *lifecycle.WaitError
	require.ErrorAs(t, f.detach(t.Context(), f.vm.UUID), &wait)
	assert.Equal(t, reason, wait.Reason)
}

// updates returns the number of updates of the VM.
func (f *detachFixture) updates() int {
	updates := 0
	for _, request := range f.prism.Requests() {
		if request == "PUT vms/"+f.vm.UUID {
			updates++
		}
	}
	return updates
}

func TestDestroyWaitsWhileVolumeGroupsCannotBeRead(t *testing.T) {
	f := newDetachFixture(t)
	f.prism.Refuse("vms/"+f.vm.UUID, http.StatusServiceUnavailable)
	f.requireWait(t, infrav1.PrismUnreachableReason)
	assert.Zero(t, f.updates())
}

func TestDetachIsNotRepeatedWhileItsTaskCannotBeRead(t *testing.T) {
	f := newDetachFixture(t)
	f.prism.SetDetaching(controllertest.Detaching{Running: true})
	f.requireWait(t, infrav1.VolumeGroupsAttachedReason)
	f.prism.Refuse("tasks/"+controllertest.UUID(10, 1), http.StatusServiceUnavailable)
	f.requireWait(t, infrav1.VolumeGroupsAttachedReason)
	assert.Equal(t, 1, f.updates())
}

// A VM that another client has deleted is searched for by the next run, so the destroy does not wait for it.
func TestDetachFailsIfVMDoesNotExist(t *testing.T) {
	f := newDetachFixture(t)
	f.prism.SetDetaching(controllertest.Detaching{Running: true})
	f.requireWait(t, infrav1.VolumeGroupsAttachedReason)
	f.prism.Remove(f.vm.UUID)
	err := f.detach(t.Context(), f.vm.UUID)
	var notFound *prism.NotFoundError
	require.ErrorAs(t, err, &notFound)
	var wait *lifecycle.WaitError
	assert.NotErrorAs(t, err, &wait)
	_, pending := f.memory.pending.Load(f.vm.UUID)
	assert.False(t, pending)
}

func TestVolumeGroupsThatAnotherClientDetachesAreNotReported(t *testing.T) {
	f := newDetachFixture(t)
	f.prism.SetDetaching(controllertest.Detaching{Failure: "it is in use"})
	f.requireWait(t, infrav1.VolumeGroupsAttachedReason)
	f.prism.SetDetaching(controllertest.Detaching{Status: http.StatusConflict})
	f.requireWait(t, infrav1.VolumeGroupsAttachedReason)
	f.vm.VolumeGroups = nil
	f.prism.Put(f.vm)
	require.NoError(t, f.detach(t.Context(), f.vm.UUID))
	assert.Equal(t, []string{infrav1.VolumeGroupsAttachedReason}, f.reasons)
}
