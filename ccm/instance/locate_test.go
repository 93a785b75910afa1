package instance

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/nutanix"
)

func TestFindsTheVirtualMachineOfANode(t *testing.T) {
	vm := func(uuid string, change func(*nutanix.VM)) nutanix.VM {
		vm := worker()
		vm.UUID, vm.BIOSUUID = uuid, uuid
		change(&vm)
		return vm
	}
	same := func(*nutanix.VM) {}
	renamed := func(vm *nutanix.VM) { vm.Name = "renamed" }
	for name, tc := range map[string]struct {
		vms              []nutanix.VM
		provider, system string
		want             string
		reason           string
	}{
		"by provider ID":                      {[]nutanix.VM{vm(vmUUID, renamed)}, "nutanix://" + vmUUID, "", vmUUID, ""},
		"by provider ID in upper case":        {[]nutanix.VM{vm(vmUUID, renamed)}, "nutanix://" + strings.ToUpper(vmUUID), "", vmUUID, ""},
		"by provider ID before system UUID":   {[]nutanix.VM{vm(vmUUID, renamed), vm(formerUUID, renamed)}, "nutanix://" + vmUUID, formerUUID, vmUUID, ""},
		"by system UUID":                      {[]nutanix.VM{vm(vmUUID, renamed)}, "", strings.ToUpper(vmUUID), vmUUID, ""},
		"by system UUID after a placeholder":  {[]nutanix.VM{vm(vmUUID, renamed)}, "nutanix://blue-m1", vmUUID, vmUUID, ""},
		"by system UUID after it was rebuilt": {[]nutanix.VM{vm(vmUUID, same)}, "nutanix://" + formerUUID, vmUUID, vmUUID, ""},
		"by BIOS UUID": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) { vm.BIOSUUID = formerUUID; vm.Name = "renamed" })},
			"nutanix://" + formerUUID, formerUUID, vmUUID, ""},
		"by attribute after a failover to another site": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) {
			vm.BIOSUUID, vm.CustomAttributes = "", []string{"x:y", "providerID:" + formerUUID}
		})}, "nutanix://" + formerUUID, formerUUID, vmUUID, ""},
		"by attribute as CAPX writes it": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) {
			vm.CustomAttributes = []string{"providerid:" + formerUUID}
		})}, "nutanix://" + formerUUID, "", vmUUID, ""},
		"by attribute with only a system UUID": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) {
			vm.BIOSUUID, vm.CustomAttributes = "", []string{"providerID:" + formerUUID}
		})}, "", formerUUID, vmUUID, ""},
		"by name": {[]nutanix.VM{vm(vmUUID, same), vm(thirdUUID, renamed)}, "", "", vmUUID, ""},
		"by name when it has no BIOS UUID": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) { vm.BIOSUUID = "" })},
			"nutanix://" + formerUUID, formerUUID, vmUUID, ""},

		"two of one name":                 {[]nutanix.VM{vm(vmUUID, same), vm(thirdUUID, same)}, "", "", "", ReasonAmbiguous},
		"two of one BIOS UUID":            {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) { vm.BIOSUUID = formerUUID }), vm(thirdUUID, func(vm *nutanix.VM) { vm.BIOSUUID = formerUUID })}, "", formerUUID, "", ReasonAmbiguous},
		"its name with another BIOS UUID": {[]nutanix.VM{vm(vmUUID, same)}, "nutanix://" + formerUUID, formerUUID, "", ReasonImpostor},
		"its name with another attribute": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) {
			vm.BIOSUUID, vm.CustomAttributes = "", []string{"providerID:" + thirdUUID}
		})}, "nutanix://" + formerUUID, "", "", ReasonImpostor},
		"its UUID with another attribute": {[]nutanix.VM{vm(vmUUID, func(vm *nutanix.VM) {
			vm.BIOSUUID, vm.CustomAttributes = "", []string{"providerID:" + thirdUUID}
		})}, "nutanix://" + vmUUID, "", "", ReasonImpostor},
		"a node of another provider": {[]nutanix.VM{vm(vmUUID, same)}, "aws:///zone/i-1", vmUUID, "", ReasonNoIdentity},
	} {
		for where, listed := range map[string]bool{"listed": true, "not listed": false} {
			t.Run(name+", "+where, func(t *testing.T) {
				b := newBench(t)
				b.prism.vms = tc.vms
				if !listed {
					b.settings.ClusterName = ""
				}
				node := registered()
				node.Spec.ProviderID, node.Status.NodeInfo.SystemUUID = tc.provider, tc.system
				got, err := b.find(context.Background(), node)
				if tc.reason == "" {
					require.NoError(t, err)
					assert.Equal(t, tc.want, got.UUID)
					return
				}
				problem := problemOf(t, err, tc.reason)
				if tc.reason == ReasonAmbiguous {
					for _, vm := range tc.vms {
						assert.Contains(t, problem.Message, vm.UUID)
					}
				}
			})
		}
	}
}

// Attributes cannot be searched for, so this is seen only in the list of the cluster.
func TestTwoVirtualMachinesWithOneProviderIDAreAmbiguous(t *testing.T) {
	b := newBench(t)
	other := worker()
	other.UUID, other.BIOSUUID, other.CustomAttributes = thirdUUID, thirdUUID, []string{"providerID:" + vmUUID}
	b.prism.vms = append(b.prism.vms, other)
	_, err := b.InstanceMetadata(context.Background(), ready())
	problem := problemOf(t, err, ReasonAmbiguous)
	assert.Contains(t, problem.Message, vmUUID)
	assert.Contains(t, problem.Message, thirdUUID)
	assert.Equal(t, []string{"Warning " + ReasonAmbiguous + " " + problem.Message}, b.reasons())
}

// Who looks for the virtual machine is told of another's, though it does not keep a Node whose own was deleted.
func TestTheNameOfAnotherClustersVirtualMachineIsTold(t *testing.T) {
	b := newBench(t)
	other, stranger := worker(), worker()
	other.UUID, other.BIOSUUID, other.Name = thirdUUID, thirdUUID, "other"
	stranger.UUID, stranger.BIOSUUID, stranger.CategoryUUIDs = formerUUID, formerUUID, nil
	b.prism.vms = []nutanix.VM{other, stranger}
	_, err := b.InstanceMetadata(context.Background(), ready())
	require.ErrorIs(t, err, errMissing)
	assert.Contains(t, problemOf(t, err, ReasonImpostor).Message, formerUUID)
}

func TestANodeWithoutAnyIdentityIsAnError(t *testing.T) {
	b := newBench(t)
	for name, node := range map[string]*corev1.Node{"nil": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			_, err := b.InstanceExists(context.Background(), node)
			problemOf(t, err, ReasonNoIdentity)
			_, err = b.InstanceShutdown(context.Background(), node)
			problemOf(t, err, ReasonNoIdentity)
			_, err = b.InstanceMetadata(context.Background(), node)
			problemOf(t, err, ReasonNoIdentity)
		})
	}
	assert.Zero(t, b.prism.total())
}

func TestAVirtualMachineOutsideTheListIsAskedForByItself(t *testing.T) {
	b := newBench(t)
	b.prism.vms[0].CategoryUUIDs = nil
	_, err := b.find(context.Background(), ready())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"ListCategories": 1, "ListVMs": 1, "VM": 1}, b.prism.calls)
}

func TestAnUnknownClusterCategoryMeansAskingForEach(t *testing.T) {
	b := newBench(t)
	b.settings.ClusterName = "unknown"
	_, err := b.find(context.Background(), ready())
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"ListCategories": 1, "VM": 1}, b.prism.calls)
}
