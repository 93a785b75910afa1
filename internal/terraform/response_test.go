package terraform

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestResponseExplainsAnErrorOfTheProvider(t *testing.T) {
	t.Parallel()
	const create = "error while creating Virtual Machines : <nil>"
	cluster := Response{422, "VM_INVALID_ARGUMENT", "no such\ncluster"}
	for name, test := range map[string]struct {
		text      string
		responses []Response
		want      string
		class     Class
	}{
		"create, rejected": {create, []Response{cluster}, "error while creating Virtual Machines : no such cluster", Rejected},
		"create, with an address": {create + ": with nutanix_virtual_machine_v2.this,", []Response{cluster},
			"error while creating Virtual Machines : no such cluster: with nutanix_virtual_machine_v2.this,", Rejected},
		"create, no quota":        {create, []Response{{422, "PROJECT_QUOTA_EXCEEDED", "too much"}}, "error while creating Virtual Machines : too much", Quota},
		"create, unavailable":     {create, []Response{{503, "", "busy"}}, "error while creating Virtual Machines : busy", Transient},
		"create, unconfirmed":     {create, []Response{{503, "", "busy"}, {409, "GATEWAY_CREATE_UNCONFIRMED", "not sent again"}}, "error while creating Virtual Machines : not sent again", Transient},
		"create, no message":      {create, []Response{{401, "", ""}}, "error while creating Virtual Machines : Prism Central sent no message", Authentication},
		"create, no response":     {create, nil, create, Unknown},
		"read":                    {"error while fetching vm : no such cluster", []Response{cluster, {503, "", "busy"}}, "error while fetching vm : no such cluster", Rejected},
		"read, not found":         {"error while fetching vm : it is gone", []Response{{404, "VM_NOT_FOUND", "it is gone"}}, "error while fetching vm : it is gone", NotFound},
		"update, outdated":        {"error while updating : If-Match", []Response{{412, "VM_ETAG_MISMATCH", "If-Match"}}, "error while updating : If-Match", Transient},
		"update, outdated status": {"error while updating : If-Match", []Response{{412, "", "If-Match"}}, "error while updating : If-Match", Transient},
		"task":                    {"error_detail: no memory, progress_message: 1", []Response{{0, "RESOURCE_SHORTAGE", "no memory"}}, "error_detail: no memory, progress_message: 1", Quota},
		"task without a reason":   {"error_detail: no memory", []Response{{0, "", "no memory"}}, "error_detail: no memory", Unknown},
		"another response":        {"error while fetching vm : x", []Response{cluster}, "error while fetching vm : x", Unknown},
		"an empty message":        {"error while fetching vm : x", []Response{{503, "", ""}}, "error while fetching vm : x", Unknown},
	} {
		text, class := explained(test.text, Unknown, test.responses)
		assert.Equal(t, test.want, text, name)
		assert.Equal(t, test.class, class, name)
	}
}

// The output is that of provider 2.4.2 after an error response to the create of a VM.
func TestErrorWithoutTextIsAnErrorOfTheProvider(t *testing.T) {
	t.Parallel()
	diagnostics := parseDiagnostics("\nError: error while creating Virtual Machines : <nil>\n\n  with nutanix_virtual_machine_v2.this,\n" +
		"  on main.tf line 12, in resource \"nutanix_virtual_machine_v2\" \"this\":\n  12: resource \"nutanix_virtual_machine_v2\" \"this\" {\n\n")
	source, class := classify(diagnostics)
	assert.Equal(t, SourceProvider, source)
	assert.Equal(t, Unknown, class)
	text, class := explained(diagnostics[0].text, class, []Response{{409, "GATEWAY_CREATE_UNCONFIRMED", "it was not sent again"}})
	assert.Equal(t, Transient, class)
	assert.Contains(t, text, "error while creating Virtual Machines : it was not sent again: with nutanix_virtual_machine_v2.this,")
}
