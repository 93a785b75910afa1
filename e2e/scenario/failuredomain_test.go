package scenario

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Control plane machines are spread over the failure domains, each on the Prism Element and the subnet of its own; a domain
// in use cannot be deleted.
func TestFailureDomainsSpreadTheControlPlane(t *testing.T) {
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
	secretsStayInside(t)

	used := &infrav1.NutanixFailureDomain{}
	require.NoError(t, world.Env.Client.Get(c.ctx, keyOf(c.Namespace, "rack-2"), used))
	require.NoError(t, world.Env.Client.Delete(c.ctx, used))
	c.until("the deletion of rack-2 to be refused", func() []conditionsOf {
		domain := &infrav1.NutanixFailureDomain{}
		if err := world.Env.Client.Get(c.ctx, keyOf(c.Namespace, "rack-2"), domain); err != nil {
			return nil
		}
		return []conditionsOf{domain}
	}, infrav1.SafeForDeletionCondition, infrav1.FailureDomainInUseReason, c.Name)
	slices.Sort(elements)
	say(t, "machines run on %v", elements)
}
