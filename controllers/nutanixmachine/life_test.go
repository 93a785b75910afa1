package nutanixmachine

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/terraform"
)

func TestMachineIsProvisionedAndDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	result := e.settle()
	machine := e.NutanixMachine
	assert.Equal(t, time.Minute, result.RequeueAfter, "the next health check is scheduled")
	vms := e.Prism.VMs()
	require.Len(t, vms, 1)
	assert.Equal(t, "m", vms[0].Name)
	assert.True(t, marked(vms[0].Description, machine))
	assert.Equal(t, "nutanix://"+vms[0].UUID, machine.Spec.ProviderID)
	assert.Equal(t, vms[0].UUID, machine.Status.VMUUID)
	assert.Equal(t, []clusterv1.MachineAddress{{Type: "Hostname", Address: "m"}, {Type: "InternalIP", Address: "10.0.0.1"}}, machine.Status.Addresses)
	assert.True(t, ptr.Deref(machine.Status.Initialization.Provisioned, false))
	assert.True(t, machine.Status.Ready)
	assert.Equal(t, int32(1), machine.Status.Terraform.LastPlan.Create)
	assert.NotEmpty(t, machine.Status.Terraform.WorkspaceDigest)

	state := &corev1.SecretList{}
	require.NoError(t, api.List(t.Context(), state, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
	require.Len(t, state.Items, 1)
	assert.True(t, controllerutil.HasControllerReference(machine))

	remembered := func() bool { // the pipeline has checked the target at least once
		return e.Pipeline.Idle(lifecycle.Target{Object: machine, Kind: kind,
			Desired: lifecycle.Desired{CheckInterval: time.Hour}, Remembered: lifecycle.Remembered{Current: true}})
	}
	assert.True(t, remembered())

	e.delete()
	assert.False(t, remembered())
	assert.True(t, e.Gone(machine))
	assert.Empty(t, e.Prism.VMs())
	require.NoError(t, api.List(t.Context(), state, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
	assert.Empty(t, state.Items)
	assert.Equal(t, []string{"Normal Planned", "Normal Applied", "Normal Planned", "Normal Destroyed"}, reasons(e.Recorder.All()))
}

func reasons(events []string) []string {
	var short []string
	for _, event := range events {
		short = append(short, strings.Join(strings.Fields(event)[:2], " "))
	}
	return short
}

// A reconcile of a machine that is in sync sends only one request, which reads the VM. The reconcile starts no process
// and writes nothing.
func TestMachineInSyncSendsOneRequest(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	before := e.NutanixMachine.ResourceVersion
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, []string{"GET vms/" + controllertest.UUID(6, 1)}, e.Prism.Requests())
	assert.Empty(t, e.Terraform.Runs())
	e.settle()
	assert.Equal(t, before, e.NutanixMachine.ResourceVersion)
}

func TestDriftIsCheckedInItsInterval(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Advance(10 * time.Minute)
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	require.False(t, e.Gone(e.NutanixMachine))
	assert.True(t, e.NutanixMachine.Status.Ready, "a check for drift does not make it unready")
	e.settle()
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// For a machine that is in sync, the status contains everything that the manager needs after a restart.
func TestRestartStartsNoRun(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.reconciler.Pipeline.Init()
	e.settle()
	assert.Empty(t, e.Terraform.Runs())
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// A failed run is retried after a restart, even if an earlier run has applied the workspace successfully.
func TestFailedRunIsRepeatedAfterRestart(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Terraform.Fail("plan", &terraform.Error{Verb: "plan", Class: terraform.Transient, Message: "connection reset"})
	e.Advance(10 * time.Minute)
	e.settle()
	require.Equal(t, infrav1.PlanFailedReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, e.NutanixMachine.Status.Ready, "a failed check for drift does not make it unready")
	e.reconciler.Pipeline.Init()
	e.Terraform.Runs()
	e.settle()
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// A retry does not hide the reason of the last failure.
func TestReasonStaysDuringRetry(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	for range 2 {
		e.Terraform.Fail("plan", &terraform.Error{Verb: "plan", Class: terraform.Quota, Message: "the quota of project team is exceeded"})
	}
	e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.QuotaExceededReason)
	e.Advance(time.Minute)
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	require.False(t, e.Gone(e.NutanixMachine))
	e.requireFalse(infrav1.AppliedCondition, infrav1.QuotaExceededReason)
	e.settle()
	e.Advance(time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// An error response of Prism Central other than 404 never marks a machine as lost and never removes recorded
// information about its VM.
func TestPrismCentralErrorsAreNotTerminal(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusNotFound, http.StatusForbidden, http.StatusUnauthorized, http.StatusBadGateway} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			addresses := e.NutanixMachine.Status.Addresses
			e.Prism.Fail(status)
			for range 2 { // the first reconcile checks the health, the second one the drift
				e.settle()
				assert.Nil(t, e.NutanixMachine.Status.FailureReason)
				assert.Equal(t, addresses, e.NutanixMachine.Status.Addresses)
				assert.True(t, conditions.IsTrue(e.NutanixMachine, infrav1.AddressesAssignedCondition))
				assert.True(t, conditions.IsFalse(e.NutanixMachine, infrav1.InputsResolvedCondition))
				e.Advance(10 * time.Minute)
			}
			e.Prism.Fail(0)
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
		})
	}
}

func TestMachineRecoversFromWrongPassword(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.SetPassword("an0ther-passw0rd")
	e.ExpectNoLeak("an0ther-passw0rd")
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.AuthenticationFailedReason)
	e.ChangePassword(e.Environment, "an0ther-passw0rd")
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

func TestBootstrapDataReachesOnlyTheRun(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	variables, files := e.Terraform.Variables()
	assert.Len(t, variables, 1)
	for name, content := range files {
		assert.NotContains(t, string(content), "b00tstrap", name)
		assert.NotContains(t, string(content), variables["user_data"], name)
	}
	e.ExpectNoLeak(variables["user_data"])
}

// A stale cache may still contain a machine that is already deleted. Terraform must not run for such a machine, because
// nothing would remove the state.
func TestDeletedMachineIsNotRunAgain(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	require.False(t, e.Gone(e.NutanixMachine))
	stale := e.NutanixMachine.DeepCopy()
	e.settle()
	require.True(t, e.Gone(stale.DeepCopy()))
	e.Terraform.Runs()

	e.reconciler.Client = controllertest.Stale[*infrav1.NutanixMachine]{Client: e.reconciler.Client, Object: stale}
	_, err := e.Reconcile(e.reconciler, stale)
	require.NoError(t, err)
	assert.Empty(t, e.Terraform.Runs())
	assert.False(t, e.Pipeline.Scheduler.Running("NutanixMachine/"+e.Namespace+"/m/"+string(stale.UID)))
}
