package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// VolumeGroupView is a copy of a volume group for tests. Each VM to which the volume group is attached shows it as a
// disk.
type VolumeGroupView struct {
	UUID         string   `json:"uuid,omitempty"` // default: a new UUID
	Name         string   `json:"name"`
	PrismElement string   `json:"prismElement"`      // name
	SizeMiB      int64    `json:"sizeMiB,omitempty"` // default 1024
	AttachedTo   []string `json:"attachedTo"`        // UUIDs of VMs
}

// VolumeGroup is a volume group. VMs store the attachments of a volume group as disks.
type VolumeGroup struct {
	UUID, Name   string
	PrismElement *inventory.PrismElement
	sizeMiB      int64
}

// VolumeGroupByUUID returns the volume group with the UUID, or nil if it does not exist.
func (pc *Central) VolumeGroupByUUID(uuid string) *VolumeGroup {
	return Find(pc.VolumeGroups.All, func(g *VolumeGroup) bool { return g.UUID == uuid })
}

// AttachedTo returns the VMs to which a volume group is attached.
func (pc *Central) AttachedTo(g *VolumeGroup) []*VM {
	var out []*VM
	for _, m := range pc.VMs.All {
		if m.Exists && m.VolumeGroupAddress(g) != "" {
			out = append(out, m)
		}
	}
	return out
}

// VolumeGroupAddress returns the device address of a volume group, such as scsi.1. If the volume group is not attached
// to the VM, it returns an empty string.
func (m *VM) VolumeGroupAddress(g *VolumeGroup) string {
	return addressOfFirst(m.Live.Resources.DiskList, func(d wire.Disk) bool { return d.IsOf(g.UUID) })
}

// addressOfFirst returns the device address of the first attached volume group for which fits returns true, or an empty
// string if there is none.
func addressOfFirst(disks []wire.Disk, fits func(wire.Disk) bool) string {
	i := slices.IndexFunc(disks, func(d wire.Disk) bool { return d.DeviceType() == wire.TypeVolumeGroup && fits(d) })
	if i < 0 {
		return ""
	}
	return disks[i].Slot(wire.OrZero(wire.OrZero(wire.OrZero(disks[i].Properties).Address).DeviceIndex))
}

// Attach adds a volume group to the disks of a VM.
func (m *VM) Attach(g *VolumeGroup) {
	added := wire.Disk{
		UUID: uuid.NewString(), VolumeGroup: &wire.Reference{Kind: "volume_group", UUID: g.UUID},
		Properties: &wire.DeviceProperties{DeviceType: wire.TypeVolumeGroup, Address: &wire.DiskAddress{AdapterType: "SCSI"}},
	}
	added.SetBytes(g.sizeMiB * wire.Mebibyte)
	disks := append(slices.Clone(m.Live.Resources.DiskList), added)
	placeDisks(disks)
	m.Live.Resources.DiskList = disks
	m.Spec.Resources.DiskList = append(m.Spec.Resources.DiskList, disks[len(disks)-1])
}

// Detach removes a volume group from the disks of a VM. It reports whether the volume group was attached.
func (m *VM) Detach(g *VolumeGroup) bool {
	attached := m.VolumeGroupAddress(g) != ""
	for _, res := range []*wire.VMResources{m.Live.Resources, m.Spec.Resources} {
		res.DiskList = slices.DeleteFunc(slices.Clone(res.DiskList), func(d wire.Disk) bool { return d.IsOf(g.UUID) })
	}
	return attached
}

// DetachedVolumeGroup returns the device address of the VM's first volume group that is missing from the wanted
// resources. It returns an empty string if none is missing.
func (m *VM) DetachedVolumeGroup(want *wire.VMResources) string {
	return addressOfFirst(m.Live.Resources.DiskList, func(d wire.Disk) bool { return want.DiskByUUID(d.UUID) == nil })
}

// RefuseDelete returns the error message for deleting a VM with an attached volume group, if by is the value of the
// rule DeleteWithVolumeGroup. Otherwise it returns an empty string. terraform-provider-nutanix issue 568 contains this
// message from a real task.
func (pc *Central) RefuseDelete(m *VM, by Refusal) string {
	if pc.Rules.DeleteWithVolumeGroup.orElse(RefusedByTask) != by || !m.Exists {
		return ""
	}
	address := addressOfFirst(m.Live.Resources.DiskList, func(wire.Disk) bool { return true })
	if address == "" {
		return ""
	}
	return "Volume group at " + address + " must be detached before deleting VM."
}

// RefuseDetach returns the error message for detaching the volume group at a device address, if by is the value of the
// rule DetachVolumeGroup. Otherwise it returns an empty string. This package defines the message.
func (pc *Central) RefuseDetach(address string, by Refusal) string {
	if address == "" || pc.Rules.DetachVolumeGroup.orElse(NotRefused) != by {
		return ""
	}
	return "Volume group at " + address + " is in use and cannot be detached."
}

// AddVolumeGroup adds a volume group and returns the UUID of the volume group.
func (pc *Central) AddVolumeGroup(group VolumeGroupView) (string, error) {
	group.UUID = cmp.Or(group.UUID, uuid.NewString())
	added := &VolumeGroup{
		UUID: strings.ToLower(group.UUID), Name: group.Name, PrismElement: pc.PrismElementByName(group.PrismElement), sizeMiB: group.SizeMiB,
	}
	if added.sizeMiB == 0 {
		added.sizeMiB = 1024
	}
	switch {
	case group.Name == "" || added.sizeMiB < 0 || len(group.AttachedTo) > 0:
		return "", fmt.Errorf("adding volume group %q: it needs a name and no negative size, and is attached later", group.Name)
	case added.PrismElement == nil:
		return "", fmt.Errorf("adding volume group %q: there is no Prism Element %q", group.Name, group.PrismElement)
	case !inventory.IsUUID(added.UUID) || pc.VolumeGroupByUUID(added.UUID) != nil:
		return "", fmt.Errorf("adding volume group %q: %q is not a UUID, or taken", group.Name, group.UUID)
	}
	pc.VolumeGroups.Add(added)
	return added.UUID, nil
}

// VolumeGroupViews returns all volume groups with their attachments, oldest first.
func (pc *Central) VolumeGroupViews() []VolumeGroupView {
	out := []VolumeGroupView{}
	for _, g := range pc.VolumeGroups.All {
		view := VolumeGroupView{UUID: g.UUID, Name: g.Name, PrismElement: g.PrismElement.Name, SizeMiB: g.sizeMiB, AttachedTo: []string{}}
		for _, m := range pc.AttachedTo(g) {
			view.AttachedTo = append(view.AttachedTo, m.UUID)
		}
		out = append(out, view)
	}
	return out
}

// AttachmentChanged increments spec_version, unless the rule AttachmentKeepsSpecVersion is set.
func (m *VM) AttachmentChanged(rules Rules) {
	if !rules.AttachmentKeepsSpecVersion {
		m.Version++
	}
}
