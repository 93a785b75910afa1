package prismsim_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

const hour = time.Hour

// hypervisor records the calls of the server.
type hypervisor struct {
	mu      sync.Mutex
	list    []string
	started chan prismsim.VM
}

func newHypervisor() *hypervisor { return &hypervisor{started: make(chan prismsim.VM, 1000)} }

func (h *hypervisor) PowerOn(vm prismsim.VM) {
	h.note(fmt.Sprintf("on %s %d", vm.UUID, vm.MemoryMiB))
	h.started <- vm
}

func (h *hypervisor) PowerOff(uuid string) { h.note("off " + uuid) }

func (h *hypervisor) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, text)
}

func (h *hypervisor) calls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.list...)
}

func TestDeletingARunningVMSwitchesItOffFirst(t *testing.T) {
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	id := *vm.Metadata.UUID
	response, err := client.DeleteVM(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "DELETE_PENDING", response.Status.State)
	wait(t, client, response.Status.ExecutionContext)
	s.Close()
	assert.Equal(t, []string{"on " + id + " 4096", "off " + id}, h.calls())
}

func TestExternalPowerChangesAndDeletion(t *testing.T) {
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	id := *vm.Metadata.UUID
	require.NoError(t, s.PowerOff(id))
	require.NoError(t, s.PowerOff(id), "switching off twice is one change")
	vm, err := client.GetVM(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "OFF", *vm.Status.Resources.PowerState)
	require.NoError(t, s.PowerOn(id))
	require.NoError(t, s.DeleteVM(id))
	_, err = client.GetVM(t.Context(), id)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	assert.ErrorContains(t, s.DeleteVM(id), "ENTITY_NOT_FOUND")
	s.Close()
	assert.Equal(t, []string{"on " + id + " 4096", "off " + id, "on " + id + " 4096", "off " + id}, h.calls())
}

func TestMemoryOfAPrismElementIsLimited(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	big := func(name string) *v3.VMIntentInput {
		body := intent(t, s, name)
		body.Spec.Resources.MemorySizeMib = ptr(int64(600 << 10)) // the Prism Element has 1 TiB
		return body
	}
	first := create(t, client, big("first"))
	response, err := client.CreateVM(t.Context(), big("second"))
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	assert.Equal(t, "FAILED", *task.Status)
	assert.Contains(t, *task.ErrorDetail, "Insufficient resources: No host has enough available memory")

	left, err := client.GetVM(t.Context(), *response.Metadata.UUID)
	require.NoError(t, err, "the VM must exist although it could not be switched on")
	assert.Equal(t, "ERROR", *left.Status.State)
	assert.Equal(t, "OFF", *left.Status.Resources.PowerState)

	require.NoError(t, s.DeleteVM(*first.Metadata.UUID))
	task, left = edit(t, client, left, func(b *v3.VMIntentInput) { b.Spec.Resources.PowerState = ptr("ON") })
	assert.Equal(t, "SUCCEEDED", *task.Status)
	assert.Equal(t, "COMPLETE", *left.Status.State)
}

func TestGPUsAreExclusiveAndReleased(t *testing.T) {
	tests := map[string]struct {
		gpu   v3.VMGpu
		count int
	}{
		"passthrough": {v3.VMGpu{Vendor: ptr("NVIDIA"), Mode: ptr("PASSTHROUGH_COMPUTE"), DeviceID: ptr(int64(7864))}, 2},
		"virtual":     {v3.VMGpu{Vendor: ptr("NVIDIA"), Mode: ptr("VIRTUAL"), DeviceID: ptr(int64(606))}, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			client := connect(t, s, nil)
			body := func() *v3.VMIntentInput {
				b := intent(t, s, "gpu")
				b.Spec.Resources.GpuList = []*v3.VMGpu{&test.gpu}
				return b
			}
			var last *v3.VMIntentResponse
			for range test.count {
				last = create(t, client, body())
				assert.NotEmpty(t, *last.Status.Resources.GpuList[0].PCIAddress)
			}
			assert.Zero(t, freeGPUs(t, client, *test.gpu.DeviceID))
			response, err := client.CreateVM(t.Context(), body())
			require.NoError(t, err)
			assert.Contains(t, *wait(t, client, response.Status.ExecutionContext).ErrorDetail, "No host has enough available GPU resources")
			require.NoError(t, s.PowerOff(*last.Metadata.UUID))
			assert.Equal(t, 1, freeGPUs(t, client, *test.gpu.DeviceID))
			create(t, client, body())
		})
	}
}

func freeGPUs(t *testing.T, client v3.Service, device int64) int {
	t.Helper()
	hosts, err := client.ListAllHost(t.Context())
	require.NoError(t, err)
	free := 0
	for _, h := range hosts.Entities {
		for _, g := range h.Status.Resources.GPUList {
			if *g.DeviceID == device && g.Assignable {
				free++
			}
		}
	}
	return free
}

func TestTasksShowProgress(t *testing.T) {
	// The progress becomes positive after a hundredth of this time. The test does not wait until the task ends.
	s := start(t, func(o *prismsim.Options) { o.Latency.Create = 30 * time.Second })
	client := connect(t, s, nil)
	response, err := client.CreateVM(t.Context(), intent(t, s, "slow"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		task, err := client.GetTask(t.Context(), response.Status.ExecutionContext.TaskUUID.(string))
		require.NoError(t, err)
		return *task.Status == "RUNNING" && *task.PercentageComplete > 0
	}, waitFor, tick)

	s = start(t, nil)
	client = connect(t, s, nil)
	response, err = client.CreateVM(t.Context(), intent(t, s, "quick"))
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	assert.Equal(t, "SUCCEEDED", *task.Status)
	assert.EqualValues(t, 100, *task.PercentageComplete)
	_, err = client.GetTask(t.Context(), "00000000-0000-4000-8000-000000000000")
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}
