package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// A machine without an address is not provisioned. If the VM gets an address later, the controller finds the address
// without a Terraform run.
func TestMachineWaitsForAddresses(t *testing.T) {
	for name, first := range map[string][]string{"none": {}, "link-local alone": {"fe80::1"}} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Terraform.Addresses = first
			e.CreateMachine(e.Environment)
			result := e.settle()
			e.requireFalse(infrav1.AddressesAssignedCondition, infrav1.WaitingForAddressesReason)
			assert.Positive(t, result.RequeueAfter)
			vm := e.Prism.VMs()[0]
			assert.Equal(t, "nutanix://"+vm.UUID, e.NutanixMachine.Spec.ProviderID)
			assert.Nil(t, e.NutanixMachine.Status.Initialization.Provisioned)
			e.Terraform.Runs()
			vm.Addresses = append(vm.Addresses, "10.0.0.1")
			e.Prism.Put(vm)
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Empty(t, e.Terraform.Runs())
		})
	}
}

func TestAddressesFollowTheVM(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	vm := e.Prism.VMs()[0]
	vm.Addresses = []string{"10.0.0.77", "fe80::1"}
	e.Prism.Put(vm)
	e.settle()
	assert.Equal(t, "10.0.0.77", e.NutanixMachine.Status.Addresses[1].Address)
	assert.Len(t, e.NutanixMachine.Status.Addresses, 2)
	assert.Empty(t, e.Terraform.Runs())
}

// A machine of CAPX is adopted by its providerID. The deletion of the machine destroys the VM even if Terraform never
// ran.
func TestVMOfCAPXIsTakenOver(t *testing.T) {
	for name, first := range map[string]func(e *testEnvironment){"and reconciled": func(e *testEnvironment) {
		e.settle()
		assert.True(t, e.NutanixMachine.Status.Ready)
		assert.Contains(t, reasons(e.Recorder.All()), "Normal Imported")
	}, "and deleted at once": func(e *testEnvironment) {
		e.Prism.Fail(500)
		e.settle()
		e.Prism.Fail(0)
		assert.True(t, conditions.IsFalse(e.NutanixMachine, infrav1.ReadyCondition))
		assert.Empty(t, e.Terraform.Runs())
	}} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Addresses: []string{"10.0.0.9"}})
			e.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
			e.CreateMachine(e.Environment)
			first(e)
			assert.Len(t, e.Prism.VMs(), 1)
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Empty(t, e.Prism.VMs())
		})
	}
}

// Two objects must not own the same VM, because the deletion of one object would destroy the VM of the other.
func TestVMOfAnotherObjectIsNotTakenOver(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(controllertest.VM{UUID: vm1, Name: "m", Description: mark(marks), Addresses: []string{"10.0.0.9"}})
	e.NutanixMachine.Spec.ProviderID = "nutanix://" + vm1
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMBelongsToOtherReason)
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Len(t, e.Prism.VMs(), 1)
}

// If a VM was created but Terraform did not write it to the state, the deletion still destroys the VM.
func TestVMOutsideTheStateIsDestroyed(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	e.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Timeout, Message: "timeout while waiting for state"})
	e.settle()
	e.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(e.NutanixMachine), State: "PENDING"})
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

func TestDestroyInputsRender(t *testing.T) {
	e := newTestEnvironment(t)
	settings, _, err := e.reconciler.Settings(t.Context(), e.NutanixCluster, kind, e.NutanixMachine)
	require.NoError(t, err)
	_, err = renderer.RenderMachine(settings, destroyInputs(&scope{machine: e.Machine, nutanixMachine: e.NutanixMachine}))
	require.NoError(t, err)
}

// TestDestroyDoesNotNeedBootstrapData checks that the user data of an existing VM is known as long as the bootstrap Secret exists.
func TestDestroyDoesNotNeedBootstrapData(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	variables, _ := e.Terraform.Variables()
	require.NotEmpty(t, variables[renderer.UserDataVariable])
	s, err := e.reconciler.scope(t.Context(), e.NutanixMachine)
	require.NoError(t, err)
	s.access, err = e.reconciler.Prism.Access(t.Context(), s.nutanixCluster)
	require.NoError(t, err)
	target, err := e.reconciler.destroyTarget(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, variables[renderer.UserDataVariable], target.UserData)
	assert.Equal(t, map[string]string{renderer.UserDataVariable: ""}, target.Variables)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.Machine.Namespace, Name: *e.Machine.Spec.Bootstrap.DataSecretName}}
	require.NoError(t, e.Client.Delete(t.Context(), secret))
	target, err = e.reconciler.destroyTarget(t.Context(), s)
	require.NoError(t, err)
	assert.Empty(t, target.UserData)
}

func TestExportRendersWhatWasApplied(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	e.reconciler.Pipeline = nil // an export starts no run
	workspace, err := e.reconciler.Export(t.Context(), e.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, e.NutanixMachine.Status.Terraform.WorkspaceDigest, workspace.Digest)
	assert.Contains(t, string(workspace.Files[renderer.ForeignCategoriesFile]), "CostCenter", "a plan by hand keeps the categories of others")
	assert.Empty(t, e.Terraform.Runs())
}
