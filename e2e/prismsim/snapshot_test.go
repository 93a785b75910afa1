package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestSnapshotRestoresVMs(t *testing.T) {
	before := start(t, nil)
	client := connect(t, before, nil)
	first := *create(t, client, intent(t, before, "vm-1")).Metadata.UUID
	off := *create(t, client, intent(t, before, "vm-2")).Metadata.UUID
	require.NoError(t, before.PowerOff(off))
	require.NoError(t, before.ChangeVM(off, prismsim.VMChange{Categories: map[string][]string{"Team": {"a", "b"}, "Zone": {"z"}}}))
	snapshot, err := before.Snapshot()
	require.NoError(t, err)
	raw, err := json.Marshal(snapshot)
	require.NoError(t, err)

	read, err := prismsim.ParseSnapshot(raw)
	require.NoError(t, err)
	hypervisor := newHypervisor()
	after := start(t, func(o *prismsim.Options) { o.Hypervisor = hypervisor })
	require.NoError(t, after.Restore(read))

	assert.Equal(t, before.VMs(), after.VMs())
	assert.Equal(t, before.Categories(), after.Categories())
	for _, id := range []string{first, off} {
		assert.Equal(t, readVM(t, before, id), readVM(t, after, id))
	}
	assert.Equal(t, first, (<-hypervisor.started).UUID, "the VM that was on boots")
	assert.Empty(t, hypervisor.started)

	third := create(t, connect(t, after, nil), intent(t, after, "vm-3"))
	old, added := after.VMs()[0].NICs[0], after.VMs()[2].NICs[0]
	assert.Equal(t, *third.Metadata.UUID, after.VMs()[2].UUID)
	assert.NotEqual(t, old.IPs, added.IPs, "the address is in use")
	assert.NotEqual(t, old.MAC, added.MAC)
	assert.ErrorContains(t, after.Restore(read), "vm-1", "it exists already")
}

// readVM returns a VM in the format of the v3 API, without its tasks.
func readVM(t *testing.T, s *prismsim.Server, id string) map[string]any {
	t.Helper()
	_, body := request(t, s, http.MethodGet, "/api/nutanix/v3/vms/"+id, "", nil)
	var vm map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &vm))
	status, ok := vm["status"].(map[string]any)
	require.True(t, ok, body)
	delete(status, "execution_context")
	return vm
}

func TestSnapshotFails_ForUnsupportedFields(t *testing.T) {
	s := start(t, nil)
	id := *create(t, connect(t, s, nil), intent(t, s, "vm-1")).Metadata.UUID
	require.NoError(t, s.SetCustomAttributes(id, "key:value"))
	_, err := s.Snapshot()
	assert.ErrorContains(t, err, "vm-1")
}
