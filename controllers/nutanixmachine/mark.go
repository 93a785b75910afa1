package nutanixmachine

import (
	"fmt"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// markPrefix is the start of the description of every VM that CAPNT creates. The workspace key of the object follows. The key
// alone decides to which object the VM belongs. The namespace and name after it are for people.
const markPrefix = "Managed by CAPNT, key "

// mark returns the description for the VM of a machine.
func mark(machine *infrav1.NutanixMachine) string {
	return fmt.Sprintf("%s%s, NutanixMachine %s/%s", markPrefix, provisioning.WorkspaceKey(machine), machine.Namespace, machine.Name)
}

// marked reports whether a description carries the mark of a machine.
func marked(description string, machine *infrav1.NutanixMachine) bool {
	key := markedKey(description)
	return key != "" && key == provisioning.WorkspaceKey(machine)
}

// markedForOther reports whether a description carries the mark of another machine.
func markedForOther(description string, machine *infrav1.NutanixMachine) bool {
	return markedKey(description) != "" && !marked(description, machine)
}

// markedKey returns the workspace key in a description, or an empty string if the description contains no mark.
func markedKey(description string) string {
	rest, ok := strings.CutPrefix(description, markPrefix)
	if !ok {
		return ""
	}
	key, _, _ := strings.Cut(rest, ",")
	return key
}
