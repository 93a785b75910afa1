package terraform

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseState(t *testing.T) {
	t.Parallel()
	state, err := ParseState([]byte(`{
  "version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "line", "outputs": {},
  "resources": [
    {"mode": "data", "type": "nutanix_image", "name": "x", "instances": [{"attributes": {"id": "no"}}]},
    {"module": "module.machine", "mode": "managed", "type": "nutanix_virtual_machine", "name": "this",
     "instances": [{"status": "tainted", "attributes": {"id": "uuid"}}, {"deposed": "abcd", "attributes": {"id": "old"}}]},
    {"mode": "managed", "type": "terraform_data", "name": "many",
     "instances": [{"index_key": 0, "attributes": {"id": null}}, {"index_key": "a.b", "attributes": {"id": "b"}}]},
    {"mode": "managed", "type": "terraform_data", "name": "none", "instances": []}
  ]}`))
	require.NoError(t, err)
	assert.Equal(t, &State{Lineage: "line", Serial: 7, Resources: []Resource{
		{Address: "module.machine.nutanix_virtual_machine.this", Type: "nutanix_virtual_machine", ID: "uuid", Tainted: true},
		{Address: "module.machine.nutanix_virtual_machine.this", Type: "nutanix_virtual_machine", ID: "old"},
		{Address: "terraform_data.many[0]", Type: "terraform_data"},
		{Address: `terraform_data.many["a.b"]`, Type: "terraform_data", ID: "b"},
	}}, state)

	for address, want := range map[string]bool{
		"module.machine": true, "module.machine.nutanix_virtual_machine.this": true, "terraform_data.many": true,
		"terraform_data.many[0]": true, "module.mach": false, "terraform_data.man": false, "terraform_data.none": false,
	} {
		assert.Equal(t, want, state.Has(address), address)
	}
}

func TestParseEmptyState(t *testing.T) {
	t.Parallel()
	state, err := ParseState([]byte("\n"))
	require.NoError(t, err)
	assert.True(t, state.Empty())
	_, err = ParseState([]byte(`{"secret": hush}`))
	require.ErrorContains(t, err, "not a Terraform state")
	assert.NotContains(t, err.Error(), "hush")
}
