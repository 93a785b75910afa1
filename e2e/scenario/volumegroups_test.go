package scenario

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Cluster API does not drain nodes when the whole Cluster is deleted, so volume groups may still be attached to a VM
// when the VM is to be destroyed. While Prism Central rejects requests to detach a volume group, the deletion waits, and
// a condition names the volume group.
func TestClusterWithVolumeGroupsIsDeleted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "volumes")
	c.Workers = 1
	c.apply()
	c.complete()
	var groups []string
	for _, vm := range c.vms() {
		group, err := testStack.Prism.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-of-" + vm.Name, PrismElement: vm.PrismElement})
		require.NoError(t, err)
		require.NoError(t, testStack.Prism.AttachVolumeGroup(group, vm.UUID))
		groups = append(groups, group)
	}
	refuse := func(refusal prismsim.Refusal) {
		testStack.Prism.ChangeRules(func(r *prismsim.Rules) { r.DetachVolumeGroup = refusal })
		logf(t, "refusal of detach requests is now %q", refusal)
	}
	t.Cleanup(func() { refuse("") })
	refuse(prismsim.RefusedByTask)
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, object))
	c.waitForCondition("the detach to fail", c.anyMachine, infrav1.AppliedCondition, infrav1.VolumeGroupsAttachedReason, "is in use and cannot be detached")
	refuse(prismsim.RefusedByRequest)
	c.waitForCondition("the detach to be refused", c.anyMachine, infrav1.AppliedCondition, infrav1.VolumeGroupsAttachedReason, "it responded with 4")
	for _, vm := range c.vms() {
		assert.Equal(t, "ON", vm.PowerState, "%s must not be switched off while it waits", vm.Name)
	}
	refuse("")
	c.must(testStack.Env.WaitForGone(c.ctx, object))
	require.Empty(t, c.vms())
	kept := 0
	for _, group := range testStack.Prism.VolumeGroups() {
		if slices.Contains(groups, group.UUID) {
			kept++
			assert.Empty(t, group.AttachedTo, group.Name)
		}
	}
	assert.Len(t, groups, kept, "the volume groups still exist")
}
