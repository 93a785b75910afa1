package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

func requireProblem(t *testing.T, err error, reason string) {
	t.Helper()
	var problem *provisioning.Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, reason, problem.Reason)
	assert.NotEmpty(t, problem.Message)
}

func TestMachineAddresses(t *testing.T) {
	tests := map[string]struct {
		given, want []string
	}{
		"none":           {nil, nil},
		"both families":  {[]string{"10.0.0.1", "2001:db8::1", "10.1.0.1"}, []string{"10.0.0.1", "2001:db8::1", "10.1.0.1"}},
		"link-local":     {[]string{"169.254.1.1", "fe80::1", "10.0.0.1"}, []string{"10.0.0.1"}},
		"no address":     {[]string{"", "x", "10.0.0", "10.0.0.1/24"}, nil},
		"kept as it was": {[]string{"2001:DB8::0:1"}, []string{"2001:DB8::0:1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := []clusterv1.MachineAddress{{Type: clusterv1.MachineHostName, Address: "host"}}
			for _, address := range test.want {
				want = append(want, clusterv1.MachineAddress{Type: clusterv1.MachineInternalIP, Address: address})
			}
			assert.Equal(t, want, machineAddresses("host", test.given))
		})
	}
}

// A machine without an address is not provisioned; one that it gets later is found without a run.
func TestAddressesAreAwaited(t *testing.T) {
	for name, first := range map[string][]string{"none": {}, "link-local alone": {"fe80::1"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Terraform.Addresses = first
			w.CreateMachine(w.Bed)
			result := w.settle()
			w.requireFalse(infrav1.AddressesAssignedCondition, infrav1.WaitingForAddressesReason)
			assert.Positive(t, result.RequeueAfter)
			vm := w.Prism.VMs()[0]
			assert.Equal(t, "nutanix://"+vm.UUID, w.NutanixMachine.Spec.ProviderID)
			assert.Nil(t, w.NutanixMachine.Status.Initialization.Provisioned)
			w.Terraform.Runs()
			vm.Addresses = append(vm.Addresses, "10.0.0.1")
			w.Prism.Put(vm)
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.Empty(t, w.Terraform.Runs())
		})
	}
}

func TestAddressesFollowTheMachine(t *testing.T) {
	w := newWorld(t)
	w.running()
	vm := w.Prism.VMs()[0]
	vm.Addresses = []string{"10.0.0.77", "fe80::1"}
	w.Prism.Put(vm)
	w.settle()
	assert.Equal(t, "10.0.0.77", w.NutanixMachine.Status.Addresses[1].Address)
	assert.Len(t, w.NutanixMachine.Status.Addresses, 2)
	assert.Empty(t, w.Terraform.Runs())
}

// A machine of CAPX is taken over by its providerID, and goes with its object even if Terraform never ran.
func TestTakenOver(t *testing.T) {
	for name, first := range map[string]func(w *world){"and reconciled": func(w *world) {
		w.settle()
		assert.True(t, w.NutanixMachine.Status.Ready)
		assert.Contains(t, reasons(w.Recorder.All()), "Normal Imported")
	}, "and deleted at once": func(w *world) {
		w.Prism.Fail(500)
		w.settle()
		w.Prism.Fail(0)
		assert.True(t, conditions.IsFalse(w.NutanixMachine, infrav1.ReadyCondition))
		assert.Empty(t, w.Terraform.Runs())
	}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Addresses: []string{"10.0.0.9"}})
			w.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
			w.CreateMachine(w.Bed)
			first(w)
			assert.Len(t, w.Prism.VMs(), 1)
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Empty(t, w.Prism.VMs())
		})
	}
}

// Two objects must not have one machine: the second would destroy it under the first.
func TestMachineOfAnotherObjectIsNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Description: mark(marks), Addresses: []string{"10.0.0.9"}})
	w.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
	w.CreateMachine(w.Bed)
	w.settle()
	w.requireFalse(infrav1.AppliedCondition, infrav1.VMBelongsToOtherReason)
	assert.NotContains(t, w.Terraform.Runs(), "apply")
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Len(t, w.Prism.VMs(), 1)
}

// What Prism Central made before Terraform wrote it down is destroyed too.
func TestUnknownMachineIsDestroyed(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	w.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Timeout, Message: "timeout while waiting for state"})
	w.settle()
	w.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(w.NutanixMachine), State: "PENDING"})
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}

func TestDestroyInputsRender(t *testing.T) {
	w := newWorld(t)
	settings, _, err := w.reconciler.Settings(t.Context(), w.NutanixCluster, kind, w.NutanixMachine)
	require.NoError(t, err)
	_, err = renderer.RenderMachine(settings, destroyInputs(&scope{machine: w.Machine, nutanixMachine: w.NutanixMachine}))
	require.NoError(t, err)
}

func TestExportRendersWhatWasApplied(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	w.reconciler.Pipeline = nil // a command that exports runs nothing
	workspace, err := w.reconciler.Export(t.Context(), w.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, w.NutanixMachine.Status.Terraform.WorkspaceDigest, workspace.Digest)
	assert.Contains(t, string(workspace.Files[renderer.ForeignCategoriesFile]), "CostCenter", "a plan by hand keeps the categories of others")
	assert.Empty(t, w.Terraform.Runs())
}
