package v1beta1

import "k8s.io/utils/ptr"

// Default sets unset fields of a machine's spec. It never changes a value that is set, because a server-side apply of the
// same manifest, as Cluster API's topology controller does it, must find nothing to change.
func (s *NutanixMachineSpec) Default() {
	if s.ImageLookup != nil && ptr.Deref(s.ImageLookup.Format, "") == "" {
		s.ImageLookup.Format = ptr.To(DefaultImageLookupFormat)
	}
	s.Image.Default()
	s.Cluster.Default()
	s.Project.Default()
	for i := range s.Subnets {
		s.Subnets[i].Default()
	}
	for i := range s.DataDisks {
		s.DataDisks[i].Default()
	}
}

// Default sets the device type Disk, the SCSI bus and the disk mode Standard if they are unset.
func (d *NutanixMachineVMDisk) Default() {
	if d.DeviceProperties == nil {
		d.DeviceProperties = &NutanixMachineVMDiskDeviceProperties{AdapterType: NutanixMachineDiskAdapterTypeSCSI}
	}
	if d.DeviceProperties.DeviceType == "" {
		d.DeviceProperties.DeviceType = NutanixMachineDiskDeviceTypeDisk
	}
	if d.StorageConfig != nil {
		if d.StorageConfig.DiskMode == "" {
			d.StorageConfig.DiskMode = NutanixMachineDiskModeStandard
		}
		d.StorageConfig.StorageContainer.Default()
	}
	d.DataSource.Default()
}

// Default sets unset fields of the template. If the type of an image is set but its value is missing or empty, the image becomes a
// placeholder, because a ClusterClass patch may set the value. CAPX does the same.
func (t *NutanixMachineTemplate) Default() {
	spec := &t.Spec.Template.Spec
	spec.Default()
	if spec.Image == nil {
		return
	}
	if spec.Image.IsName() && spec.Image.Name == nil {
		spec.Image.Name = ptr.To(PlaceholderImageName)
	}
	if spec.Image.IsUUID() && spec.Image.UUID == nil {
		spec.Image.UUID = ptr.To(PlaceholderUUID)
	}
}

// HasPlaceholderImage reports whether the image is a placeholder. Machines of such a template cannot be created.
func (t *NutanixMachineTemplate) HasPlaceholderImage() bool {
	image := t.Spec.Template.Spec.Image
	return image != nil && (ptr.Deref(image.Name, "") == PlaceholderImageName || ptr.Deref(image.UUID, "") == PlaceholderUUID)
}

// Default sets the port of Prism Central if it is unset. Empty namespaces stay empty and mean the namespace of the cluster,
// so that a manifest can be applied to another namespace.
func (s *NutanixClusterSpec) Default() {
	if s.PrismCentral != nil && s.PrismCentral.Port == 0 {
		s.PrismCentral.Port = DefaultPrismPort
	}
}

// Default sets unset fields of the template, as for a NutanixCluster.
func (t *NutanixClusterTemplate) Default() { t.Spec.Template.Spec.Default() }
