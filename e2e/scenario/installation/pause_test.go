package installation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// A Cluster is paused while Prism Central creates the VM of one machine and the run of another machine is queued. The
// manager must cancel the queued run, and must report the first machine as paused only after its run has ended. No run
// may start until the Cluster is unpaused. Afterwards, single machines are paused, one of them while its VM is being
// updated.
func TestRunsEndBeforeObjectsArePaused(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "paused", nil)
	c.waitFor("the NutanixCluster to be Ready", func() (bool, string) {
		return conditions.IsTrue(c.nutanixCluster(), infrav1.ReadyCondition), ""
	})
	release := c.hold(prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Contains: `"name":"paused-running"`})
	c.createMachine("paused-running", nil)
	c.waitForHeldRequest()
	c.createMachine("paused-queued", nil)
	// The controller sets this condition after it has submitted the run.
	c.waitForCondition("paused-queued", infrav1.InputsResolvedCondition, metav1.ConditionTrue, "")
	c.requireNotPaused(c.nutanixCluster(), c.machine("paused-running"), c.machine("paused-queued"))

	c.patch(&clusterv1.Cluster{}, c.Name, `{"spec":{"paused":true}}`)
	c.waitForPause(func() object { return c.nutanixCluster() })
	c.waitForPause(func() object { return c.machine("paused-queued") })
	c.requireNotPaused(c.machine("paused-running"))
	require.Empty(t, testStack.Prism.VMs(), "the create is held")
	release()
	c.waitForRunEndAndPause("paused-running")
	require.Len(t, vmsOf("paused-running"), 1)
	c.requireNothingRuns(func() {
		for _, name := range []string{"paused-running", "paused-queued"} {
			c.editCategory(name, "Staging")
			c.waitForCondition(name, infrav1.PausedCondition, metav1.ConditionTrue, "")
		}
	})

	c.patch(&clusterv1.Cluster{}, c.Name, `{"spec":{"paused":false}}`)
	vm := c.waitForReady("paused-running", "Staging")
	c.waitForReady("paused-queued", "Staging")
	c.requireNotPaused(c.nutanixCluster(), c.machine("paused-running"), c.machine("paused-queued"))

	release = c.hold(prismsim.Fault{Method: http.MethodPut, Path: "/vms/" + vm.UUID + "$"})
	c.editCategory("paused-running", "Testing")
	c.waitForHeldRequest()
	c.patch(&infrav1.NutanixMachine{}, "paused-running", `{"metadata":{"annotations":{"`+clusterv1.PausedAnnotation+`":""}}}`)
	c.patch(&infrav1.NutanixMachine{}, "paused-queued", `{"metadata":{"annotations":{"`+clusterv1.PausedAnnotation+`":""}}}`)
	c.waitForPause(func() object { return c.machine("paused-queued") })
	c.requireNotPaused(c.machine("paused-running"))
	release()
	c.waitForRunEndAndPause("paused-running")
	assert.Equal(t, "Testing", vmsOf("paused-running")[0].Categories["Environment"], "the update was applied")
	for _, name := range []string{"paused-running", "paused-queued"} {
		c.patch(&infrav1.NutanixMachine{}, name, `{"metadata":{"annotations":{"`+clusterv1.PausedAnnotation+`":null}}}`)
	}
	assert.Equal(t, vm.UUID, c.waitForReady("paused-running", "Testing").UUID)
	c.deleteCluster()
	assert.Empty(t, testStack.Prism.VMs())
}

// hold makes Prism Central hold the next request that matches the fault. The returned function releases the request.
func (c *cluster) hold(fault prismsim.Fault) (release func()) {
	c.t.Helper()
	fault.Hold, fault.Times = patience, 1
	id, err := testStack.Prism.Faults().Set(fault)
	require.NoError(c.t, err)
	release = func() { testStack.Prism.Faults().Clear(id) }
	c.t.Cleanup(release)
	return release
}

func (c *cluster) waitForHeldRequest() {
	c.t.Helper()
	c.waitFor("a request to be held", func() (bool, string) { return testStack.Prism.Faults().List()[0].Hits == 1, "" })
}

// object is an API object that can be paused.
type object interface {
	metav1.Object
	conditions.Getter
}

// isPaused reports whether the object has the Paused condition and clusterctl may move it. It requires that an object
// that is not paused has the annotation that prevents clusterctl from moving it.
func (c *cluster) isPaused(object object) bool {
	c.t.Helper()
	paused := conditions.IsTrue(object, infrav1.PausedCondition)
	_, blocks := object.GetAnnotations()[clusterctlv1.BlockMoveAnnotation]
	if !paused {
		require.True(c.t, blocks, "%s is not paused and lacks the annotation %s", object.GetName(), clusterctlv1.BlockMoveAnnotation)
	}
	return paused && !blocks
}

func (c *cluster) requireNotPaused(objects ...object) {
	c.t.Helper()
	for _, object := range objects {
		require.False(c.t, c.isPaused(object), object.GetName())
	}
}

func (c *cluster) waitForPause(read func() object) {
	c.t.Helper()
	c.waitFor("an object to be paused", func() (bool, string) {
		object := read()
		return c.isPaused(object), object.GetName() + " is not"
	})
}

// waitForRunEndAndPause waits until the machine with the given name is paused. It requires that no run exists when the
// Paused condition becomes True.
func (c *cluster) waitForRunEndAndPause(name string) {
	c.t.Helper()
	c.waitFor(name+" to be paused", func() (bool, string) {
		machine := c.machine(name)
		if conditions.IsTrue(machine, infrav1.PausedCondition) {
			c.requireNoRun()
		}
		return c.isPaused(machine), ""
	})
}

func (c *cluster) requireNoRun() {
	c.t.Helper()
	left, err := testStack.LeftOnMachine()
	require.NoError(c.t, err)
	require.Empty(c.t, strings.Join(left, ", "))
}

// requireNothingRuns calls while. It requires that no Terraform process runs before and after the call, and that Prism Central
// gets no request during the call.
func (c *cluster) requireNothingRuns(while func()) {
	c.t.Helper()
	c.requireNoRun()
	requests := len(testStack.Prism.Requests())
	while()
	c.requireNoRun()
	require.Len(c.t, testStack.Prism.Requests(), requests)
}
