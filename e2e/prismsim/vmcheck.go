package prismsim

import (
	"encoding/base64"
	"slices"
)

// checkIntent refuses a create or update that names what does not exist or cannot be. The caller holds the mutex. The
// form of the answers is that of v3; their texts are this package's own.
func (e *estate) checkIntent(body *vmIntent, existing *machine) error {
	switch {
	case body.Metadata == nil || body.Spec == nil || body.Spec.Resources == nil:
		return unprocessable("vm", "metadata, spec and spec.resources are required properties.")
	case body.Metadata.Kind != "vm":
		return unprocessable("vm", "metadata.kind: %q is not one of ['vm'].", body.Metadata.Kind)
	case body.Spec.Name == "":
		return unprocessable("vm", "spec.name is a required property.")
	}
	element := e.elementOf(body, existing)
	if element == nil {
		return unprocessable("vm", "Invalid cluster_reference: cluster %s does not exist.", referenceName(body.Spec.ClusterReference))
	}
	if p := body.Metadata.ProjectReference; !p.isEmpty() && e.projectByUUID(p.UUID) == nil {
		return unprocessable("vm", "Invalid project_reference: project %s does not exist.", referenceName(p))
	}
	for key, values := range wantedCategories(body.Metadata) {
		for _, value := range values {
			if !e.hasCategory(key, value) {
				return unprocessable("vm", "Category %s:%s does not exist.", key, value)
			}
		}
	}
	return e.checkResources(body.Spec.Resources, element, existing)
}

// elementOf gives the Prism Element of a request. Only an existing VM may leave it out.
func (e *estate) elementOf(body *vmIntent, existing *machine) *PrismElement {
	if body.Spec.ClusterReference.isEmpty() {
		if existing != nil {
			return existing.element
		}
		return nil
	}
	return e.elementByUUID(body.Spec.ClusterReference.UUID)
}

func referenceName(r *reference) string {
	switch {
	case r.isEmpty():
		return "(none)"
	case r.UUID != "":
		return r.UUID
	}
	return r.Name + " (without uuid)"
}

func (e *estate) checkResources(res *vmResources, element *PrismElement, existing *machine) error {
	if err := checkSizes(res); err != nil {
		return err
	}
	for i, d := range res.DiskList {
		if err := e.checkDisk(i, d, element, existing); err != nil {
			return err
		}
	}
	if err := checkAddresses(res.DiskList); err != nil {
		return err
	}
	for i, n := range res.NICList {
		subnet := e.subnetByUUID(orZero(n.SubnetReference).UUID)
		switch {
		case n.SubnetReference == nil:
			return unprocessable("vm", "nic_list[%d].subnet_reference is a required property.", i)
		case subnet == nil:
			return unprocessable("vm", "Invalid subnet_reference: subnet %s does not exist.", referenceName(n.SubnetReference))
		case subnet.element != nil && subnet.element != element && !existing.hasNICOn(n.UUID, subnet.UUID):
			return unprocessable("vm", "Invalid subnet_reference: subnet %s does not belong to cluster %s.", subnet.UUID, element.UUID)
		}
	}
	return checkCustomization(res.GuestCustomization)
}

// hasNICOn reports whether the NIC of a VM is on a subnet already. A NIC may stay where it is when its VM came to another
// Prism Element.
func (m *machine) hasNICOn(nicUUID, subnetUUID string) bool {
	if m == nil || nicUUID == "" {
		return false
	}
	return slices.ContainsFunc(m.current().nics(), func(n nic) bool {
		return n.UUID == nicUUID && orZero(n.SubnetReference).UUID == subnetUUID
	})
}

func checkSizes(res *vmResources) error {
	for field, value := range map[string]*int64{
		"num_sockets": res.NumSockets, "num_vcpus_per_socket": res.NumVCPUsPerSocket,
		"num_threads_per_core": res.NumThreadsPerCore, "memory_size_mib": res.MemorySizeMiB,
	} {
		if value != nil && *value < 1 {
			return unprocessable("vm", "resources.%s: %d is less than the minimum of 1.", field, *value)
		}
	}
	enums := []struct {
		field, value string
		allowed      []string
	}{
		{"power_state", res.PowerState, []string{powerOn, powerOff, "PAUSED", "SUSPENDED"}},
		{"machine_type", res.MachineType, []string{"PC", "PSERIES", "Q35"}},
		{"boot_config.boot_type", orZero(res.BootConfig).BootType, []string{"LEGACY", "UEFI", "SECURE_BOOT"}},
		{"power_state_mechanism.mechanism", orZero(res.PowerStateMechanism).Mechanism, []string{"HARD", "ACPI", "GUEST"}},
	}
	for _, enum := range enums {
		if enum.value != "" && !slices.Contains(enum.allowed, enum.value) {
			return unprocessable("vm", "resources.%s: %q is not one of %q.", enum.field, enum.value, enum.allowed)
		}
	}
	return nil
}

func (e *estate) checkDisk(i int, d disk, element *PrismElement, existing *machine) error {
	if d.SizeMiB != nil && d.SizeBytes != nil && *d.SizeMiB != mebibytes(*d.SizeBytes) {
		// v3_structs.go of prism-go-client: "Must match the size specified in 'disk_size_bytes' - rounded up".
		return unprocessable("vm", "disk_list[%d]: disk_size_mib %d does not match disk_size_bytes %d.", i, *d.SizeMiB, *d.SizeBytes)
	}
	if d.UUID != "" && (existing == nil || existing.liveDisk(d.UUID) == nil) {
		return unprocessable("vm", "disk_list[%d]: disk %s does not exist.", i, d.UUID)
	}
	if src := d.DataSource; !src.isEmpty() && src.Kind == "image" && d.UUID == "" && e.imageByUUID(src.UUID) == nil {
		return unprocessable("vm", "Invalid data_source_reference: image %s does not exist.", referenceName(src))
	}
	if g := d.VolumeGroup; !g.isEmpty() && d.UUID == "" && e.volumeGroupByUUID(g.UUID) == nil {
		return unprocessable("vm", "Invalid volume_group_reference: volume group %s does not exist.", referenceName(g))
	}
	if sc := orZero(d.StorageConfig).Container; !sc.isEmpty() && containerByUUID(element, sc.UUID) == nil {
		return unprocessable("vm", "Invalid storage_container_reference: storage container %s does not exist on cluster %s.", referenceName(sc), element.UUID)
	}
	empty := d.UUID == "" && d.DataSource.isEmpty() && d.VolumeGroup.isEmpty() && d.SizeMiB == nil && d.SizeBytes == nil
	if empty && d.deviceType() != "CDROM" {
		return unprocessable("vm", "disk_list[%d]: one of disk_size_mib, disk_size_bytes and data_source_reference is required.", i)
	}
	if !slices.Contains([]string{"SCSI", "IDE", "PCI", "SATA", "SPAPR"}, d.adapter()) {
		return unprocessable("vm", "disk_list[%d]: adapter_type %q is not one of ['SCSI', 'IDE', 'PCI', 'SATA', 'SPAPR'].", i, d.adapter())
	}
	return nil
}

func checkAddresses(disks []disk) error {
	taken := map[string]bool{}
	for _, d := range disks {
		address := orZero(orZero(d.Properties).Address)
		if address.DeviceIndex == nil {
			continue
		}
		at := d.slot(*address.DeviceIndex)
		if taken[at] {
			return unprocessable("vm", "disk_list: more than one device at %s.", at)
		}
		taken[at] = true
	}
	return nil
}

func checkCustomization(g *guestCustomization) error {
	if g == nil || g.CloudInit == nil {
		return nil
	}
	for field, text := range map[string]string{"user_data": g.CloudInit.UserData, "meta_data": g.CloudInit.MetaData} {
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return unprocessable("vm", "guest_customization.cloud_init.%s is not base64 encoded.", field)
		}
	}
	return nil
}
