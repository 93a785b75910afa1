package scenario

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// A machine keeps the inputs with which its VM was created. The test moves the machine's failure domain to another
// Prism Element, then to a Prism Element that does not exist, and removes the image. The next drift check must find no
// changes, and the manager must send no write request to Prism Central.
func TestMachineKeepsPinnedInputs_AfterFailureDomainEditAndImageRemoval(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "pinned")
	c.Image = "ubuntu-of-the-pinned-cluster"
	c.FailureDomains = []domain{{"rack-1", "nutanix-cluster-1", "vm-network"}}
	c.InlineDomains = true
	image, err := testStack.Prism.AddImage(prismsim.Image{Name: c.Image, Size: resource.MustParse("10Gi")})
	require.NoError(t, err)
	c.apply()
	c.complete()
	before := c.vms()
	require.Len(t, before, 1)
	machine := c.machines()[0]
	assert.Contains(t, machine.Annotations[infrav1.PinnedInputsAnnotation], image)
	assert.Equal(t, "rack-1", machine.Status.FailureDomain)

	require.NoError(t, testStack.Prism.RemoveImage(image))
	logf(t, "image %s was removed", c.Image)
	c.moveFailureDomain("nutanix-cluster-2", "vm-network-2")
	c.waitForNextCheck(machine.Name)
	c.assertMachinesReady()
	c.moveFailureDomain("nutanix-cluster-9", "vm-network")
	c.waitForCondition("the failure domain to be refused", c.infraCluster, infrav1.FailureDomainsValidatedCondition, infrav1.FailureDomainsInvalidReason, "nutanix-cluster-9")
	assert.Equal(t, before, c.vms())
	require.NoError(t, testStack.Prism.ChangeVM(machine.Status.VMUUID, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42"}}}))
	logf(t, "added a category to the VM, because an unchanged VM is not planned again")
	before = c.vms()
	c.waitForNextCheck(machine.Name)
	c.assertMachinesReady()

	assert.Equal(t, before, c.vms())
	assert.Equal(t, machine.Annotations, c.machines()[0].Annotations)
	c.plansClean()
}

// moveFailureDomain moves the failure domain rack-1 of the NutanixCluster to another Prism Element. It also sets the
// drift interval to one minute, which is the minimum.
func (c *cluster) moveFailureDomain(prismElement, subnet string) {
	c.t.Helper()
	c.patch(&infrav1.NutanixCluster{}, c.Name, fmt.Sprintf(`{"spec":{"terraform":{"drift":{"intervalSeconds":60}},"failureDomains":[
		{"name":"rack-1","controlPlane":true,"cluster":{"type":"name","name":%q},"subnets":[{"type":"name","name":%q}]}]}}`, prismElement, subnet))
	logf(c.t, "rack-1 was moved to %s", prismElement)
}

// waitForNextCheck waits for a drift check of the machine that finds no changes.
func (c *cluster) waitForNextCheck(machine string) {
	c.t.Helper()
	checks := func() int {
		content, err := os.ReadFile(testStack.Env.ManagerLog())
		require.NoError(c.t, err)
		found := 0
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, "Terraform found nothing to do") && strings.Contains(line, machine) {
				found++
			}
		}
		return found
	}
	before := checks()
	c.must(testStack.Env.Wait(c.ctx, "a drift check of "+machine, func(context.Context) (bool, string, error) { return checks() > before, "none yet", nil }))
	logf(c.t, "a drift check of %s found no changes", machine)
}

// assertMachinesReady checks that all machines of the cluster are ready.
func (c *cluster) assertMachinesReady() {
	c.t.Helper()
	for _, machine := range c.machines() {
		assert.True(c.t, conditions.IsTrue(&machine, clusterv1.ReadyCondition), "%+v", machine.Status.Conditions)
	}
}

// Control plane machines are spread over the failure domains. Each machine uses the Prism Element and subnet of its
// failure domain. A failure domain cannot be deleted while machines use it.
func TestControlPlaneIsSpreadOverFailureDomains(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "domains")
	c.ControlPlanes = 3
	c.FailureDomains = []domain{
		{"rack-1", "nutanix-cluster-1", "vm-network"},
		{"rack-2", "nutanix-cluster-2", "vm-network-2"},
		{"rack-3", "nutanix-cluster-3", "vm-network-3"},
	}
	c.apply()
	c.complete()

	var elements, subnets, domains []string
	for _, vm := range c.vms() {
		elements = append(elements, vm.PrismElement)
		subnets = append(subnets, vm.NICs[0].Subnet)
	}
	for _, machine := range c.machines() {
		domains = append(domains, machine.Status.FailureDomain)
	}
	assert.ElementsMatch(t, []string{"nutanix-cluster-1", "nutanix-cluster-2", "nutanix-cluster-3"}, elements)
	assert.ElementsMatch(t, []string{"vm-network", "vm-network-2", "vm-network-3"}, subnets)
	assert.ElementsMatch(t, []string{"rack-1", "rack-2", "rack-3"}, domains)
	c.plansClean()
	assertNoSecretLeaks(t)

	used := &infrav1.NutanixFailureDomain{}
	require.NoError(t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, "rack-2"), used))
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, used))
	c.waitForCondition("the deletion of rack-2 to be refused", func() []conditionsOf {
		domain := &infrav1.NutanixFailureDomain{}
		if err := testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, "rack-2"), domain); err != nil {
			return nil
		}
		return []conditionsOf{domain}
	}, infrav1.SafeForDeletionCondition, infrav1.FailureDomainInUseReason, c.Name)
	slices.Sort(elements)
	logf(t, "machines are on Prism Elements %v", elements)
}
