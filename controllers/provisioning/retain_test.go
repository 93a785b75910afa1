package provisioning

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/api/validation"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// The exported workspaces of two objects must not have the same name.
func TestExportName(t *testing.T) {
	const kind = "NutanixMachine"
	keyed := func(key string) func(machine *infrav1.NutanixMachine) {
		return func(machine *infrav1.NutanixMachine) {
			machine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: key}
		}
	}
	name := ExportName(machine(keyed("key-1")), kind)
	assert.Equal(t, name, ExportName(machine(keyed("key-1")), kind))
	assert.True(t, strings.HasPrefix(name, "m-terraform-"), name)
	assert.NotEqual(t, name, ExportName(machine(keyed("key-2")), kind), "an object of the same name is created later")
	assert.NotEqual(t, name, ExportName(machine(keyed("key-1")), "NutanixCluster"))

	long := machine(keyed("key-1"), func(machine *infrav1.NutanixMachine) { machine.Name = strings.Repeat("m", 253) })
	assert.Empty(t, validation.NameIsDNSSubdomain(ExportName(long, kind), false))
}
