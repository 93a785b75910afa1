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

func TestMachineComesUpAndGoesWithoutATrace(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	result := w.settle()
	machine := w.NutanixMachine
	assert.Equal(t, time.Minute, result.RequeueAfter, "the machine is looked at again")
	vms := w.Prism.VMs()
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
	require.NoError(t, api.List(t.Context(), state, client.InNamespace(w.Namespace), client.HasLabels{"tfstate"}))
	require.Len(t, state.Items, 1)
	assert.True(t, controllerutil.HasControllerReference(machine) && len(state.Items[0].OwnerReferences) == 1)

	remembered := func() bool { // what nobody remembers was never checked
		return w.Pipeline.Idle(lifecycle.Target{Object: machine, Kind: kind,
			Desired: lifecycle.Desired{CheckInterval: time.Hour}, Remembered: lifecycle.Remembered{Current: true}})
	}
	assert.True(t, remembered())

	w.delete()
	assert.False(t, remembered())
	assert.True(t, w.Gone(machine))
	assert.Empty(t, w.Prism.VMs())
	require.NoError(t, api.List(t.Context(), state, client.InNamespace(w.Namespace), client.HasLabels{"tfstate"}))
	assert.Empty(t, state.Items)
	assert.Equal(t, []string{"Normal Planned", "Normal Applied", "Normal Planned", "Normal Destroyed"}, reasons(w.Recorder.All()))
}

func reasons(events []string) []string {
	var short []string
	for _, event := range events {
		short = append(short, strings.Join(strings.Fields(event)[:2], " "))
	}
	return short
}

// A machine that is in sync costs neither a process nor a look-up but the one of its health, and no write.
func TestSettledMachineIsCheap(t *testing.T) {
	w := newWorld(t)
	w.running()
	before := w.NutanixMachine.ResourceVersion
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, []string{"GET vms/" + controllertest.UUID(6, 1)}, w.Prism.Requests())
	assert.Empty(t, w.Terraform.Runs())
	w.settle()
	assert.Equal(t, before, w.NutanixMachine.ResourceVersion)
}

func TestDriftIsLookedForInItsInterval(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Advance(10 * time.Minute)
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	require.False(t, w.Gone(w.NutanixMachine))
	assert.True(t, w.NutanixMachine.Status.Ready, "looking does not make it unready")
	w.settle()
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs())
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// A new process knows what the status says, and nothing else.
func TestRestartCostsNoRun(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.reconciler.Pipeline.Init()
	w.settle()
	assert.Empty(t, w.Terraform.Runs())
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// What the last process did not finish is finished, although the workspace is the one that was applied before.
func TestRestartAfterAFailedRunRunsAgain(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Terraform.Fail("plan", &terraform.Error{Verb: "plan", Class: terraform.Transient, Message: "connection reset"})
	w.Advance(10 * time.Minute)
	w.settle()
	require.Equal(t, infrav1.PlanFailedReason, conditions.GetReason(w.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, w.NutanixMachine.Status.Ready, "a look at drift that fails says nothing about the machine")
	w.reconciler.Pipeline.Init()
	w.Terraform.Runs()
	w.settle()
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs())
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// Trying again does not hide why the last try failed.
func TestReasonStaysWhileRetrying(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	for range 2 {
		w.Terraform.Fail("plan", &terraform.Error{Verb: "plan", Class: terraform.Quota, Message: "the quota of project team is exceeded"})
	}
	w.settle()
	w.requireFalse(infrav1.AppliedCondition, infrav1.QuotaExceededReason)
	w.Advance(time.Minute)
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	require.False(t, w.Gone(w.NutanixMachine))
	w.requireFalse(infrav1.AppliedCondition, infrav1.QuotaExceededReason)
	w.settle()
	w.Advance(time.Minute)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// Whatever Prism Central answers but "there is none", the machine is not lost, keeps what is known of it, and heals.
func TestFaultsOfPrismAreNotTerminal(t *testing.T) {
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusNotFound, http.StatusForbidden, http.StatusUnauthorized, http.StatusBadGateway} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			w := newWorld(t)
			w.running()
			addresses := w.NutanixMachine.Status.Addresses
			w.Prism.Fail(status)
			for range 2 { // once by the look at its health, once by the search for drift
				w.settle()
				assert.Nil(t, w.NutanixMachine.Status.FailureReason)
				assert.Equal(t, addresses, w.NutanixMachine.Status.Addresses)
				assert.True(t, conditions.IsTrue(w.NutanixMachine, infrav1.AddressesAssignedCondition))
				assert.True(t, conditions.IsFalse(w.NutanixMachine, infrav1.InputsResolvedCondition))
				w.Advance(10 * time.Minute)
			}
			w.Prism.Fail(0)
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
		})
	}
}

func TestWrongPasswordHeals(t *testing.T) {
	w := newWorld(t)
	w.Prism.SetPassword("an0ther-passw0rd")
	w.Hide("an0ther-passw0rd")
	w.CreateMachine(w.Bed)
	w.settle()
	w.requireFalse(infrav1.InputsResolvedCondition, infrav1.AuthenticationFailedReason)
	w.ChangePassword(w.Bed, "an0ther-passw0rd")
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
}

func TestBootstrapDataReachesTheRunAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.running()
	variables, files := w.Terraform.Variables()
	assert.Len(t, variables, 1)
	for name, content := range files {
		assert.NotContains(t, string(content), "b00tstrap", name)
		assert.NotContains(t, string(content), variables["user_data"], name)
	}
	w.Hide(variables["user_data"])
}

// A cache may show a machine that is already gone; Terraform must not run for it, because nobody would remove the state.
func TestDeletedMachineDoesNotComeBack(t *testing.T) {
	w := newWorld(t)
	w.running()
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	require.False(t, w.Gone(w.NutanixMachine))
	stale := w.NutanixMachine.DeepCopy()
	w.settle()
	require.True(t, w.Gone(stale.DeepCopy()))
	w.Terraform.Runs()

	w.reconciler.Client = controllertest.Stale[*infrav1.NutanixMachine]{Client: w.reconciler.Client, Object: stale}
	_, err := w.Reconcile(w.reconciler, stale)
	require.NoError(t, err)
	assert.Empty(t, w.Terraform.Runs())
	assert.False(t, w.Pipeline.Pool.Running("NutanixMachine/"+w.Namespace+"/m/"+string(stale.UID)))
}
