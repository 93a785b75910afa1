package prismsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

const deviceVolumeGroup = "VOLUME_GROUP"

// VolumeGroup is a volume group, which appears as a disk of the VMs that it is attached to.
type VolumeGroup struct {
	UUID         string   `json:"uuid,omitempty"` // default: a new one
	Name         string   `json:"name"`
	PrismElement string   `json:"prismElement"`      // name
	SizeMiB      int64    `json:"sizeMiB,omitempty"` // default 1024
	AttachedTo   []string `json:"attachedTo"`        // UUIDs of VMs
}

// volumeGroup is a volume group without its attachments, which are disks of VMs.
type volumeGroup struct {
	uuid, name string
	element    *PrismElement
	sizeMiB    int64
}

func (e *estate) volumeGroupByUUID(uuid string) *volumeGroup {
	return find(e.volumeGroups.all, func(g *volumeGroup) bool { return g.uuid == uuid })
}

// attachedTo returns the VMs that a volume group is attached to.
func (e *estate) attachedTo(g *volumeGroup) []*machine {
	var out []*machine
	for _, m := range e.vms.all {
		if m.exists && m.addressOf(g) != "" {
			out = append(out, m)
		}
	}
	return out
}

// isOf reports whether a disk is an attached volume group.
func (d disk) isOf(volumeGroup string) bool { return orZero(d.VolumeGroup).UUID == volumeGroup }

// addressOf returns the address of a volume group, such as scsi.1, or "" when it is not attached to the VM.
func (m *machine) addressOf(g *volumeGroup) string {
	return addressOfFirst(m.live.Resources.DiskList, func(d disk) bool { return d.isOf(g.uuid) })
}

// addressOfFirst returns the address of the first attached volume group that fits, or "".
func addressOfFirst(disks []disk, fits func(disk) bool) string {
	i := slices.IndexFunc(disks, func(d disk) bool { return d.deviceType() == deviceVolumeGroup && fits(d) })
	if i < 0 {
		return ""
	}
	return disks[i].slot(orZero(orZero(orZero(disks[i].Properties).Address).DeviceIndex))
}

// attach adds a volume group to the disks of a VM.
func (m *machine) attach(g *volumeGroup) {
	added := disk{
		UUID: uuid.NewString(), VolumeGroup: &reference{Kind: "volume_group", UUID: g.uuid},
		Properties: &deviceProperties{DeviceType: deviceVolumeGroup, Address: &diskAddress{AdapterType: "SCSI"}},
	}
	added.setBytes(g.sizeMiB * mebibyte)
	disks := append(slices.Clone(m.live.Resources.DiskList), added)
	placeDisks(disks)
	m.live.Resources.DiskList = disks
	m.spec.Resources.DiskList = append(m.spec.Resources.DiskList, disks[len(disks)-1])
}

// detach removes a volume group from the disks of a VM. It reports whether it was attached.
func (m *machine) detach(g *volumeGroup) bool {
	attached := m.addressOf(g) != ""
	for _, res := range []*vmResources{m.live.Resources, m.spec.Resources} {
		res.DiskList = slices.DeleteFunc(slices.Clone(res.DiskList), func(d disk) bool { return d.isOf(g.uuid) })
	}
	return attached
}

// detachedBy returns the address of the first volume group that wanted resources do not have any more, or "".
func (m *machine) detachedBy(want *vmResources) string {
	return addressOfFirst(m.live.Resources.DiskList, func(d disk) bool { return want.diskByUUID(d.UUID) == nil })
}

// refuseDelete returns why the deletion of a VM fails, or "". The text is that of a real task, terraform-provider-nutanix
// issue 568.
func (e *estate) refuseDelete(m *machine, by Refusal) string {
	if e.rules.DeleteWithVolumeGroup.orElse(RefusedByTask) != by || !m.exists {
		return ""
	}
	address := addressOfFirst(m.live.Resources.DiskList, func(disk) bool { return true })
	if address == "" {
		return ""
	}
	return "Volume group at " + address + " must be detached before deleting VM."
}

// refuseDetach returns why detaching the volume group at an address fails, or "". The text is this package's own.
func (e *estate) refuseDetach(address string, by Refusal) string {
	if address == "" || e.rules.DetachVolumeGroup.orElse(NotRefused) != by {
		return ""
	}
	return "Volume group at " + address + " is in use and cannot be detached."
}

// AddVolumeGroup adds a volume group and returns its UUID.
func (c *control) AddVolumeGroup(group VolumeGroup) (string, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.addVolumeGroup(group)
}

func (e *estate) addVolumeGroup(group VolumeGroup) (string, error) {
	group.UUID = cmp.Or(group.UUID, uuid.NewString())
	added := &volumeGroup{
		uuid: strings.ToLower(group.UUID), name: group.Name, element: e.elementByName(group.PrismElement), sizeMiB: group.SizeMiB,
	}
	if added.sizeMiB == 0 {
		added.sizeMiB = 1024
	}
	switch {
	case group.Name == "" || added.sizeMiB < 0 || len(group.AttachedTo) > 0:
		return "", fmt.Errorf("adding volume group %q: it needs a name and no negative size, and is attached later", group.Name)
	case added.element == nil:
		return "", fmt.Errorf("adding volume group %q: there is no Prism Element %q", group.Name, group.PrismElement)
	case !isUUID(added.uuid) || e.volumeGroupByUUID(added.uuid) != nil:
		return "", fmt.Errorf("adding volume group %q: %q is not a UUID, or taken", group.Name, group.UUID)
	}
	e.volumeGroups.add(added)
	return added.uuid, nil
}

// VolumeGroups returns all volume groups, oldest first.
func (c *control) VolumeGroups() []VolumeGroup {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.exportVolumeGroups()
}

func (e *estate) exportVolumeGroups() []VolumeGroup {
	out := []VolumeGroup{}
	for _, g := range e.volumeGroups.all {
		view := VolumeGroup{UUID: g.uuid, Name: g.name, PrismElement: g.element.Name, SizeMiB: g.sizeMiB, AttachedTo: []string{}}
		for _, m := range e.attachedTo(g) {
			view.AttachedTo = append(view.AttachedTo, m.uuid)
		}
		out = append(out, view)
	}
	return out
}

// AttachVolumeGroup attaches a volume group to a VM from outside, as a CSI driver does.
func (c *control) AttachVolumeGroup(groupUUID, vmUUID string) error {
	return c.changeAttachment("attaching", groupUUID, vmUUID, func(m *machine, g *volumeGroup) error {
		if slices.Contains(c.estate.attachedTo(g), m) {
			return fmt.Errorf("attaching volume group %s: it is attached to VM %s", groupUUID, vmUUID)
		}
		m.attach(g)
		return nil
	})
}

// DetachVolumeGroup detaches a volume group from a VM from outside. No rule refuses it.
func (c *control) DetachVolumeGroup(groupUUID, vmUUID string) error {
	return c.changeAttachment("detaching", groupUUID, vmUUID, func(m *machine, g *volumeGroup) error {
		if !m.detach(g) {
			return fmt.Errorf("detaching volume group %s: it is not attached to VM %s", groupUUID, vmUUID)
		}
		return nil
	})
}

func (c *control) changeAttachment(verb, groupUUID, vmUUID string, change func(*machine, *volumeGroup) error) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		g := c.estate.volumeGroupByUUID(groupUUID)
		switch {
		case g == nil:
			return fmt.Errorf("%s volume group %s: it does not exist", verb, groupUUID)
		case !m.exists:
			return fmt.Errorf("%s volume group %s: VM %s is being created", verb, groupUUID, vmUUID)
		}
		if err := change(m, g); err != nil {
			return err
		}
		m.attachmentChanged(c.estate.rules)
		return nil
	})
}

// attachmentChanged raises spec_version unless a rule says that only updates by v3 do.
func (m *machine) attachmentChanged(rules Rules) {
	if !rules.AttachmentKeepsSpecVersion {
		m.version++
	}
}
