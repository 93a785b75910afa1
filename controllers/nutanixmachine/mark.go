package nutanixmachine

import (
	"fmt"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// markPrefix is the start of the description of every VM that CAPNT creates. The workspace key of the NutanixMachine
// follows and identifies the machine of the VM. The namespace and name after the key are only for people.
const markPrefix = "Managed by CAPNT, key "

// mark returns the description that identifies the VM of a machine.
func mark(machine *infrav1.NutanixMachine) string {
	return fmt.Sprintf("%s%s, NutanixMachine %s/%s", markPrefix, provisioning.WorkspaceKey(machine), machine.Namespace, machine.Name)
}

// marked reports whether a description identifies machine.
func marked(description string, machine *infrav1.NutanixMachine) bool {
	key := markedKey(description)
	return key != "" && key == provisioning.WorkspaceKey(machine)
}

// markedForOther reports whether a description identifies a NutanixMachine other than machine.
func markedForOther(description string, machine *infrav1.NutanixMachine) bool {
	return markedKey(description) != "" && !marked(description, machine)
}

// markedKey returns the workspace key in a description, or an empty string if CAPNT did not write the description.
func markedKey(description string) string {
	rest, ok := strings.CutPrefix(description, markPrefix)
	if !ok {
		return ""
	}
	key, _, _ := strings.Cut(rest, ",")
	return key
}
