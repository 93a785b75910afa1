package nutanixmachine

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// newV4Central returns a client for a Prism Central with the v4 API. The list of VMs of this Prism Central contains only a VM of somebody
// else. task is the state of the task prismv4test.Task.
func newV4Central(t *testing.T, task string) (*prism.Client, *prismv4test.Server) {
	t.Helper()
	central := prismv4test.New(t)
	central.Task(task)
	central.On("GET vmm/ahv/config/vms", prismv4test.Answer(http.StatusOK, prismv4test.Items(1, `{"extId":"`+vm2+`","name":"other","powerState":"ON"}`)))
	central.On("GET clustermgmt/config/clusters", prismv4test.Answer(http.StatusOK, prismv4test.Items(1,
		`{"extId":"`+controllertest.UUID(1, 1)+`","name":"pe","config":{"clusterFunction":["AOS"]}}`)))
	central.On("GET vmm/ahv/config/vms/"+vm1, prismv4test.Answer(http.StatusNotFound, prismv4test.Refusal("vmm", "VMM-30100", "VM_NOT_FOUND", "no such VM")))
	endpoint := central.Endpoint(t)
	client, err := prism.New(prism.Upstream{Address: central.Listener.Addr().String(), CABundle: endpoint.TrustBundle,
		Username: endpoint.Username, Password: endpoint.Password}, prism.Options{API: prism.V4})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client, central
}

// withTask is a machine with a create that the v4 API has accepted. The VM of its task is unknown.
func withTask(machine *infrav1.NutanixMachine) {
	_ = setIntent(machine, &createIntent{Run: "run", Task: prismv4test.Task, Attempt: 1})
}

func TestVMIsFoundByTheTaskOfItsCreate(t *testing.T) {
	const rel = "vmm:ahv:config:vm"
	exists := func(description string) http.HandlerFunc {
		return prismv4test.Answer(http.StatusOK, `{"data":{"extId":"`+vm1+`","name":"m","powerState":"OFF","description":"`+description+`"}}`)
	}
	for name, test := range map[string]struct {
		task    string
		vm      http.HandlerFunc
		ours    bool
		foreign bool
		failed  string
		doubt   string
	}{
		"VM that the list lacks":    {task: prismv4test.TaskState("RUNNING", prismv4test.Affected(rel, vm1)), vm: exists(mark(marks)), ours: true},
		"VM without a mark":         {task: prismv4test.TaskState("RUNNING", prismv4test.Affected(rel, vm1)), vm: exists(""), ours: true},
		"VM of another object":      {task: prismv4test.TaskState("SUCCEEDED", prismv4test.Affected(rel, vm1)), vm: exists(ofAnother.Description), foreign: true},
		"VM in capital letters":     {task: prismv4test.TaskState("RUNNING", prismv4test.Affected(rel, strings.ToUpper(vm1))), vm: exists(mark(marks)), ours: true},
		"VM of a failed task":       {task: prismv4test.TaskState("FAILED", prismv4test.Affected(rel, vm1)+prismv4test.Failing("X", "no host")), failed: "FAILED: "},
		"VM that is not found":      {task: prismv4test.TaskState("SUCCEEDED", prismv4test.Affected(rel, vm1))},
		"task that is running":      {task: prismv4test.TaskState("QUEUED", ""), doubt: "has not ended"},
		"task that shows no VM yet": {task: prismv4test.TaskState("RUNNING", prismv4test.Affected("clustermgmt:config:cluster", vm1)), doubt: "has not ended"},
	} {
		t.Run(name, func(t *testing.T) {
			client, central := newV4Central(t, test.task)
			if test.vm != nil {
				central.On("GET vmm/ahv/config/vms/"+vm1, test.vm)
			}
			machine := marks.DeepCopy()
			withTask(machine)
			result, err := search(t.Context(), client, (&Reconciler{}).query("key", machine, "m"))
			require.NoError(t, err)
			assert.Equal(t, test.ours, len(result.ours) == 1)
			assert.Equal(t, test.foreign, len(result.foreign) == 1)
			assert.Contains(t, result.taskError, test.failed)
			assert.Equal(t, test.failed == "", result.taskError == "")
			assert.Contains(t, result.doubt, test.doubt)
			assert.Equal(t, test.doubt == "", result.doubt == "")
		})
	}
}

// A VM of the v4 API has no state, so its task shows whether the VM may be imported.
func TestVMIsImportedWhenItsTaskHasSucceeded(t *testing.T) {
	for name, test := range map[string]struct {
		task    http.HandlerFunc
		attempt int
		err     string
	}{
		"running":           {prismv4test.Answer(http.StatusOK, `{"data":`+prismv4test.TaskState("RUNNING", "")+`}`), 1, "has not ended"},
		"canceling":         {prismv4test.Answer(http.StatusOK, `{"data":`+prismv4test.TaskState("CANCELING", "")+`}`), 1, "has not ended"},
		"succeeded":         {prismv4test.Answer(http.StatusOK, `{"data":`+prismv4test.TaskState("SUCCEEDED", "")+`}`), 1, ""},
		"failed":            {prismv4test.Answer(http.StatusOK, `{"data":`+prismv4test.TaskState("FAILED", prismv4test.Failing("X", "no host"))+`}`), 1, "no host"},
		"not found":         {prismv4test.Answer(http.StatusNotFound, prismv4test.Refusal("prism", "X", "ENTITY_NOT_FOUND", "the task does not exist")), 1, ""},
		"unavailable":       {prismv4test.Page(http.StatusServiceUnavailable), 1, "503"},
		"create through v3": {prismv4test.Answer(http.StatusOK, `{"data":`+prismv4test.TaskState("RUNNING", "")+`}`), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, central := newV4Central(t, "{}")
			central.On("GET prism/config/tasks/"+prismv4test.Task, test.task)
			central.On("GET vmm/ahv/config/vms/"+vm1, prismv4test.Answer(http.StatusOK,
				`{"data":{"extId":"`+vm1+`","name":"m","powerState":"OFF","description":"`+mark(marks)+`"}}`))
			i, _ := newIdentity(t, func(machine *infrav1.NutanixMachine) {
				_ = setIntent(machine, &createIntent{Run: "run", VM: vm1, Task: prismv4test.Task, Attempt: test.attempt})
			})
			i.central = client
			id, err := i.identify(t.Context(), "")
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, vm1, id)
		})
	}
}

// If the task of a create has failed and its VM does not exist, another create may be sent at once, and a deletion does not wait.
func TestCreateWhoseTaskHasFailedIsResolved(t *testing.T) {
	failed := prismv4test.TaskState("FAILED", prismv4test.Affected("vmm:ahv:config:vm", vm1)+prismv4test.Failing("X", "no host"))
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	mutate(e, withTask)
	client, _ := newV4Central(t, failed)
	s := &scope{nutanixMachine: e.NutanixMachine}
	result, err := search(t.Context(), client, e.reconciler.query("key", e.NutanixMachine, "m"))
	require.NoError(t, err)
	_, err = e.reconciler.handleSearch(t.Context(), s, lastSearch{found: result})
	require.NoError(t, err)
	assert.Nil(t, e.intent())

	i, _ := newIdentity(t, deleting(withTask))
	i.central = client
	id, err := i.identify(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, id)

	i.central, _ = newV4Central(t, prismv4test.TaskState("SUCCEEDED", prismv4test.Affected("vmm:ahv:config:vm", vm1)))
	_, err = i.identify(t.Context(), "")
	require.ErrorContains(t, err, openCreate, "a VM whose task has not failed is searched for again")
}
