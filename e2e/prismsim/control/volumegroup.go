package control

import (
	"fmt"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

// AddVolumeGroup adds a volume group and returns the UUID of the volume group.
func (c *Control) AddVolumeGroup(group model.VolumeGroupView) (string, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.AddVolumeGroup(group)
}

// VolumeGroups returns all volume groups, oldest first.
func (c *Control) VolumeGroups() []model.VolumeGroupView {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.VolumeGroupViews()
}

// AntiAffinityPolicies returns all anti-affinity policies, oldest first.
func (c *Control) AntiAffinityPolicies() []model.AntiAffinityPolicyView {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.AntiAffinityPolicyViews()
}

// AttachVolumeGroup attaches a volume group to a VM without an API request, as a CSI driver does.
func (c *Control) AttachVolumeGroup(groupUUID, vmUUID string) error {
	return c.changeAttachment("attaching", groupUUID, vmUUID, func(m *model.VM, g *model.VolumeGroup) error {
		if slices.Contains(c.central.AttachedTo(g), m) {
			return fmt.Errorf("attaching volume group %s: it is attached to VM %s", groupUUID, vmUUID)
		}
		m.Attach(g)
		return nil
	})
}

// DetachVolumeGroup detaches a volume group from a VM without an API request. It ignores Rules.DetachVolumeGroup.
func (c *Control) DetachVolumeGroup(groupUUID, vmUUID string) error {
	return c.changeAttachment("detaching", groupUUID, vmUUID, func(m *model.VM, g *model.VolumeGroup) error {
		if !m.Detach(g) {
			return fmt.Errorf("detaching volume group %s: it is not attached to VM %s", groupUUID, vmUUID)
		}
		return nil
	})
}

func (c *Control) changeAttachment(verb, groupUUID, vmUUID string, change func(*model.VM, *model.VolumeGroup) error) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		g := c.central.VolumeGroupByUUID(groupUUID)
		switch {
		case g == nil:
			return fmt.Errorf("%s volume group %s: it does not exist", verb, groupUUID)
		case !m.Exists:
			return fmt.Errorf("%s volume group %s: VM %s is being created", verb, groupUUID, vmUUID)
		}
		if err := change(m, g); err != nil {
			return err
		}
		m.AttachmentChanged(c.central.Rules)
		return nil
	})
}
