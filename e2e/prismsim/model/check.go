package model

import (
	"encoding/base64"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// CheckIntent returns an error for a create or an update request that refers to entities that do not exist or contains
// invalid values. existing is nil for a create request. No public record was found for most error messages, so this
// package defines them. The caller must hold the mutex.
func (pc *Central) CheckIntent(body *wire.VMIntent, existing *VM) error {
	switch {
	case body.Metadata == nil || body.Spec == nil || body.Spec.Resources == nil:
		return wire.Unprocessable("vm", "metadata, spec and spec.resources are required properties.")
	case body.Metadata.Kind != "vm":
		return wire.Unprocessable("vm", "metadata.kind: %q is not one of ['vm'].", body.Metadata.Kind)
	case body.Spec.Name == "":
		return wire.Unprocessable("vm", "spec.name is a required property.")
	}
	element := pc.elementOf(body, existing)
	if element == nil {
		return wire.Unprocessable("vm", "Invalid cluster_reference: cluster %s does not exist.", referenceName(body.Spec.ClusterReference))
	}
	if p := body.Metadata.ProjectReference; !p.IsEmpty() && pc.ProjectByUUID(p.UUID) == nil {
		return wire.Unprocessable("vm", "Invalid project_reference: project %s does not exist.", referenceName(p))
	}
	for key, values := range wantedCategories(body.Metadata) {
		for _, value := range values {
			if !pc.HasCategory(key, value) {
				return wire.Unprocessable("vm", "Category %s:%s does not exist.", key, value)
			}
		}
	}
	return pc.checkResources(body.Spec.Resources, element, existing)
}

// elementOf returns the Prism Element of a request. Only an update request may omit the Prism Element.
func (pc *Central) elementOf(body *wire.VMIntent, existing *VM) *inventory.PrismElement {
	if body.Spec.ClusterReference.IsEmpty() {
		if existing != nil {
			return existing.PrismElement
		}
		return nil
	}
	return pc.PrismElementByUUID(body.Spec.ClusterReference.UUID)
}

func referenceName(r *wire.Reference) string {
	switch {
	case r.IsEmpty():
		return "(none)"
	case r.UUID != "":
		return r.UUID
	}
	return r.Name + " (without uuid)"
}

func (pc *Central) checkResources(res *wire.VMResources, element *inventory.PrismElement, existing *VM) error {
	if err := checkSizes(res); err != nil {
		return err
	}
	for i, d := range res.DiskList {
		if err := pc.checkDisk(i, d, element, existing); err != nil {
			return err
		}
	}
	if err := checkAddresses(res.DiskList); err != nil {
		return err
	}
	for i, n := range res.NICList {
		subnet := pc.SubnetByUUID(wire.OrZero(n.SubnetReference).UUID)
		switch {
		case n.SubnetReference == nil:
			return wire.Unprocessable("vm", "nic_list[%d].subnet_reference is a required property.", i)
		case subnet == nil:
			return wire.Unprocessable("vm", "Invalid subnet_reference: subnet %s does not exist.", referenceName(n.SubnetReference))
		case subnet.Element != nil && subnet.Element != element && !existing.hasNICOn(n.UUID, subnet.UUID):
			return wire.Unprocessable("vm", "Invalid subnet_reference: subnet %s does not belong to cluster %s.", subnet.UUID, element.UUID)
		}
	}
	return checkCustomization(res.GuestCustomization)
}

// hasNICOn reports whether the VM has the NIC nicUUID on the subnet subnetUUID. Such a NIC may keep its subnet after
// the VM has moved to another Prism Element.
func (m *VM) hasNICOn(nicUUID, subnetUUID string) bool {
	if m == nil || nicUUID == "" {
		return false
	}
	return slices.ContainsFunc(m.Current().NICs(), func(n wire.NIC) bool {
		return n.UUID == nicUUID && wire.OrZero(n.SubnetReference).UUID == subnetUUID
	})
}

func checkSizes(res *wire.VMResources) error {
	for field, value := range map[string]*int64{
		"num_sockets": res.NumSockets, "num_vcpus_per_socket": res.NumVCPUsPerSocket,
		"num_threads_per_core": res.NumThreadsPerCore, "memory_size_mib": res.MemorySizeMiB,
	} {
		if value != nil && *value < 1 {
			return wire.Unprocessable("vm", "resources.%s: %d is less than the minimum of 1.", field, *value)
		}
	}
	enums := []struct {
		field, value string
		allowed      []string
	}{
		{"power_state", res.PowerState, []string{wire.PowerOn, wire.PowerOff, "PAUSED", "SUSPENDED"}},
		{"machine_type", res.MachineType, []string{"PC", "PSERIES", "Q35"}},
		{"boot_config.boot_type", wire.OrZero(res.BootConfig).BootType, []string{"LEGACY", "UEFI", "SECURE_BOOT"}},
		{"power_state_mechanism.mechanism", wire.OrZero(res.PowerStateMechanism).Mechanism, []string{"HARD", "ACPI", "GUEST"}},
	}
	for _, enum := range enums {
		if enum.value != "" && !slices.Contains(enum.allowed, enum.value) {
			return wire.Unprocessable("vm", "resources.%s: %q is not one of %q.", enum.field, enum.value, enum.allowed)
		}
	}
	return nil
}

func (pc *Central) checkDisk(i int, d wire.Disk, element *inventory.PrismElement, existing *VM) error {
	if d.SizeMiB != nil && d.SizeBytes != nil && *d.SizeMiB != wire.Mebibytes(*d.SizeBytes) {
		// According to v3_structs.go of prism-go-client, disk_size_mib "Must match the size specified in
		// 'disk_size_bytes' - rounded up".
		return wire.Unprocessable("vm", "disk_list[%d]: disk_size_mib %d does not match disk_size_bytes %d.", i, *d.SizeMiB, *d.SizeBytes)
	}
	if d.UUID != "" && (existing == nil || existing.liveDisk(d.UUID) == nil) {
		return wire.Unprocessable("vm", "disk_list[%d]: disk %s does not exist.", i, d.UUID)
	}
	if src := d.DataSource; !src.IsEmpty() && src.Kind == "image" && d.UUID == "" && pc.ImageByUUID(src.UUID) == nil {
		return wire.Unprocessable("vm", "Invalid data_source_reference: image %s does not exist.", referenceName(src))
	}
	if g := d.VolumeGroup; !g.IsEmpty() && d.UUID == "" && pc.VolumeGroupByUUID(g.UUID) == nil {
		return wire.Unprocessable("vm", "Invalid volume_group_reference: volume group %s does not exist.", referenceName(g))
	}
	if sc := wire.OrZero(d.StorageConfig).Container; !sc.IsEmpty() && ContainerByUUID(element, sc.UUID) == nil {
		return wire.Unprocessable("vm", "Invalid storage_container_reference: storage container %s does not exist on cluster %s.", referenceName(sc), element.UUID)
	}
	empty := d.UUID == "" && d.DataSource.IsEmpty() && d.VolumeGroup.IsEmpty() && d.SizeMiB == nil && d.SizeBytes == nil
	if empty && d.DeviceType() != "CDROM" {
		return wire.Unprocessable("vm", "disk_list[%d]: one of disk_size_mib, disk_size_bytes and data_source_reference is required.", i)
	}
	if !slices.Contains([]string{"SCSI", "IDE", "PCI", "SATA", "SPAPR"}, d.Adapter()) {
		return wire.Unprocessable("vm", "disk_list[%d]: adapter_type %q is not one of ['SCSI', 'IDE', 'PCI', 'SATA', 'SPAPR'].", i, d.Adapter())
	}
	return nil
}

func checkAddresses(disks []wire.Disk) error {
	taken := map[string]bool{}
	for _, d := range disks {
		address := wire.OrZero(wire.OrZero(d.Properties).Address)
		if address.DeviceIndex == nil {
			continue
		}
		at := d.Slot(*address.DeviceIndex)
		if taken[at] {
			return wire.Unprocessable("vm", "disk_list: more than one device at %s.", at)
		}
		taken[at] = true
	}
	return nil
}

func checkCustomization(g *wire.GuestCustomization) error {
	if g == nil || g.CloudInit == nil {
		return nil
	}
	for field, text := range map[string]string{"user_data": g.CloudInit.UserData, "meta_data": g.CloudInit.MetaData} {
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return wire.Unprocessable("vm", "guest_customization.cloud_init.%s is not base64 encoded.", field)
		}
	}
	return nil
}
