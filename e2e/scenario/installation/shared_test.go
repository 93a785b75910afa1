package installation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Two management clusters contain objects with the same namespaces and names, and use the same http backend and the
// same Prism Central. The workspace key in the description of a VM identifies the object that manages the VM. The
// second installation must neither change nor delete the VMs of the first installation. The test covers machines whose
// states have different paths, as new machines have, and machines whose states have the same path, as machines of
// v0.1.0 have.
func TestInstallationsWithOneBackendKeepTheirVMs(t *testing.T) {
	client := secondInstallation(t)
	states := newBackend(t)
	first := newCluster(t, testStack.Env.Client, "shared", states.spec())
	first.createMachine("shared-new", nil)
	first.createMachine("shared-old", map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-first"})
	vms := map[string]string{}
	for _, name := range []string{"shared-new", "shared-old"} {
		vms[name] = first.waitForReady(name, "").UUID
	}
	before := testStack.Prism.VMs()
	writes := len(vmWrites())

	second := newCluster(t, client, "shared", states.spec())
	second.createMachine("shared-new", nil)
	second.createMachine("shared-old", map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-the-second"})
	second.waitForCondition("shared-new", infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.VMNameConflictReason)
	second.waitForCondition("shared-old", infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.VMBelongsToOtherReason)
	suffix := func(c *cluster, name string) string {
		return c.machine(name).Annotations[infrav1.StateSuffixAnnotation]
	}
	assert.NotEqual(t, suffix(first, "shared-new"), suffix(second, "shared-new"))
	second.deleteMachine("shared-new")
	second.deleteMachine("shared-old")
	second.deleteCluster()
	require.Equal(t, before, testStack.Prism.VMs(), "the second installation has not touched the VMs of the first")
	require.Len(t, vmWrites(), writes)
	assert.Contains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), "shared", "the VMs carry it")

	for name, uuid := range vms {
		first.editCategory(name, "Staging")
		assert.Equal(t, uuid, first.waitForReady(name, "Staging").UUID)
	}
	first.deleteCluster()
	assert.Empty(t, testStack.Prism.VMs())
	assert.NotContains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), "shared")
	assert.Empty(t, states.resources(t))
}

// vmWrites returns the methods and paths of all requests in which Prism Central was asked to create, change or delete a
// VM.
func vmWrites() []string {
	var writes []string
	for _, request := range testStack.Prism.Requests() {
		if strings.Contains(request.Path, "/vms") && request.Method != http.MethodGet && !strings.HasSuffix(request.Path, "/list") {
			writes = append(writes, request.Method+" "+request.Path)
		}
	}
	return writes
}
