package nutanixmachine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// unknownUUID replaces the UUID of an entity that cannot be resolved. The entity is not needed, because the VM already
// exists or is only destroyed. The Terraform module ignores such inputs once the VM exists.
const unknownUUID = "00000000-0000-0000-0000-000000000000"

// resolver resolves the names in the spec of a machine to UUIDs.
type resolver struct {
	*scope
	place        placement
	prismElement renderer.Ref
	// vmExists is true if the VM exists. Unresolved entities are then not an error, because only the creation of the VM
	// needs them.
	vmExists bool
}

// resolve resolves the names in the spec. vm is the VM of the machine, or nil if it does not exist in Prism Central. If
// vm is not nil, resolve returns the Prism Element of vm instead of the Prism Element in the spec.
func (r *Reconciler) resolve(ctx context.Context, s *scope, vm *prism.VM) (*pinnedInputs, error) {
	resolver := &resolver{scope: s, vmExists: vm != nil || s.uuid() != ""}
	var err error
	resolver.place, err = r.place(ctx, s)
	if err != nil && (vm == nil || !unresolved(err)) {
		return nil, err
	}
	if err := resolver.resolvePrismElement(ctx, vm); err != nil {
		return nil, err
	}
	pins := &pinnedInputs{
		PrismElement:  resolver.prismElement,
		BootType:      strings.ToUpper(string(s.nutanixMachine.Spec.BootType)),
		CloudInit:     !bootsFromImage(s) && s.machine.Spec.Bootstrap.DataSecretName != nil,
		FailureDomain: cmp.Or(resolver.place.failureDomain, s.machine.Spec.FailureDomain),
	}
	for _, resolve := range []func(context.Context, *pinnedInputs) error{
		resolver.resolveSubnets, resolver.resolveProject, resolver.resolveDisks, resolver.resolveGPUs,
	} {
		if err := resolve(ctx, pins); err != nil {
			return nil, err
		}
	}
	return pins, nil
}

func (r *resolver) resolvePrismElement(ctx context.Context, vm *prism.VM) error {
	if vm != nil && vm.PrismElement != "" {
		r.prismElement = renderer.Ref{UUID: vm.PrismElement}
		return nil
	}
	element, err := r.access.Client.PrismElement(ctx, r.place.prismElement)
	if err != nil {
		return fmt.Errorf("resolving spec.cluster: %w", err)
	}
	r.prismElement = renderer.Ref{UUID: element.UUID, Name: element.Name}
	return nil
}

func (r *resolver) resolveSubnets(ctx context.Context, pins *pinnedInputs) error {
	for i, identifier := range r.place.subnets {
		subnet, err := r.reference(r.access.Client.Subnet(ctx, identifier, r.prismElement.UUID))
		if err != nil {
			return fmt.Errorf("resolving spec.subnet[%d]: %w", i, err)
		}
		first := slices.IndexFunc(pins.Subnets, func(other renderer.Ref) bool { return other.UUID == subnet.UUID })
		if first >= 0 && !r.vmExists {
			return duplicateSubnet(r.place, first, i, subnet)
		}
		pins.Subnets = append(pins.Subnets, subnet)
	}
	if len(pins.Subnets) == 0 {
		pins.Subnets = []renderer.Ref{{UUID: unknownUUID}}
	}
	return nil
}

// duplicateSubnet returns the problem that two entries select the same subnet, for example one by name and one by UUID.
func duplicateSubnet(place placement, first, second int, subnet renderer.Ref) *provisioning.Problem {
	list, owner := "spec.subnet", ""
	if place.failureDomain != "" {
		list, owner = "subnets", " of failure domain "+place.failureDomain
	}
	return &provisioning.Problem{Reason: infrav1.SubnetDuplicateReason, Message: fmt.Sprintf(
		"%s[%d] and %s[%d]%s are the same subnet %s (%s): name it once", list, first, list, second, owner, subnet.Name, subnet.UUID), LookUp: true}
}

func (r *resolver) resolveProject(ctx context.Context, pins *pinnedInputs) error {
	identifier := r.nutanixMachine.Spec.Project
	if identifier == nil {
		return nil
	}
	project, err := r.reference(r.access.Client.Project(ctx, *identifier))
	if err != nil {
		return fmt.Errorf("resolving spec.project: %w", err)
	}
	pins.Project = &project
	return nil
}

func (r *resolver) resolveDisks(ctx context.Context, pins *pinnedInputs) error {
	spec := &r.nutanixMachine.Spec
	image, err := r.systemImage(ctx)
	if err != nil {
		return err
	}
	system := renderer.Disk{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: mebibytes(spec.SystemDiskSize), Image: &image}
	var data []renderer.Disk
	if bootsFromImage(r.scope) {
		name := spec.BootstrapRef.Name
		bootstrap, err := r.image(ctx, infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name})
		if err != nil {
			return fmt.Errorf("resolving spec.bootstrapRef: %w", err)
		}
		data = append(data, renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE, Image: &bootstrap})
	}
	for i := range spec.DataDisks {
		disk, err := r.dataDisk(ctx, spec.DataDisks[i])
		if err != nil {
			return fmt.Errorf("resolving spec.dataDisks[%d]: %w", i, err)
		}
		data = append(data, disk)
	}
	if pins.Disks, err = renderer.AssignDisks(system, data); err != nil {
		return &provisioning.Problem{Reason: infrav1.InvalidSpecReason, Message: err.Error()}
	}
	return nil
}

// systemImage resolves the image of the system disk.
func (r *resolver) systemImage(ctx context.Context) (renderer.Ref, error) {
	spec := &r.nutanixMachine.Spec
	if spec.ImageLookup != nil {
		found, err := r.access.Client.ImageLookup(ctx, *spec.ImageLookup, r.machine.Spec.Version)
		image, err := r.reference(found.Entity, err)
		if err != nil {
			return renderer.Ref{}, fmt.Errorf("resolving spec.imageLookup: %w", err)
		}
		return image, nil
	}
	if spec.Image == nil {
		return renderer.Ref{}, &provisioning.Problem{Reason: infrav1.InvalidSpecReason, Message: "spec.image and spec.imageLookup are both unset: set one of them in the template"}
	}
	image, err := r.image(ctx, *spec.Image)
	if err != nil {
		return renderer.Ref{}, fmt.Errorf("resolving spec.image: %w", err)
	}
	return image, nil
}

func (r *resolver) image(ctx context.Context, identifier infrav1.NutanixResourceIdentifier) (renderer.Ref, error) {
	found, err := r.access.Client.Image(ctx, identifier)
	return r.reference(found.Entity, err)
}

// deviceTypes maps the device types of the API to the device types of the renderer.
var deviceTypes = map[infrav1.NutanixMachineDiskDeviceType]string{
	infrav1.NutanixMachineDiskDeviceTypeDisk:  renderer.DeviceDisk,
	infrav1.NutanixMachineDiskDeviceTypeCDRom: renderer.DeviceCDROM,
}

func (r *resolver) dataDisk(ctx context.Context, spec infrav1.NutanixMachineVMDisk) (renderer.Disk, error) {
	disk := renderer.Disk{SizeMiB: mebibytes(spec.DiskSize)}
	if device := spec.DeviceProperties; device != nil {
		disk.DeviceType, disk.AdapterType, disk.Index = deviceTypes[device.DeviceType], string(device.AdapterType), int(device.DeviceIndex)
	}
	if spec.DataSource != nil {
		image, err := r.image(ctx, *spec.DataSource)
		if err != nil {
			return disk, err
		}
		disk.Image = &image
	}
	if storage := spec.StorageConfig; storage != nil {
		disk.FlashMode = storage.DiskMode == infrav1.NutanixMachineDiskModeFlash
		if storage.StorageContainer != nil {
			container, err := r.reference(r.access.Client.StorageContainer(ctx, *storage.StorageContainer, r.prismElement.UUID))
			if err != nil {
				return disk, err
			}
			disk.StorageContainer = &container
		}
	}
	return disk, nil
}

// resolveGPUs resolves the GPUs. GPUs that are assigned to an existing VM are not free, but still resolve. If the hosts
// no longer have the GPUs, resolveGPUs pins no GPUs, and the provider leaves the GPUs of the VM unchanged.
func (r *resolver) resolveGPUs(ctx context.Context, pins *pinnedInputs) error {
	find := r.access.Client.GPUs
	if r.vmExists {
		find = r.access.Client.GPUModels
	}
	gpus, err := find(ctx, r.nutanixMachine.Spec.GPUs, r.prismElement.UUID)
	if r.vmExists && unresolved(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("resolving spec.gpus: %w", err)
	}
	for _, gpu := range gpus {
		pins.GPUs = append(pins.GPUs, renderer.GPU{Vendor: gpu.Vendor, Mode: gpu.Mode, DeviceID: gpu.DeviceID, Name: gpu.Name})
	}
	return nil
}

// reference converts the result of a look-up to a reference. If the VM exists, reference returns no error for an
// unresolved entity.
func (r *resolver) reference(found prism.Entity, err error) (renderer.Ref, error) {
	if r.vmExists && unresolved(err) {
		return renderer.Ref{UUID: unknownUUID}, nil
	}
	return renderer.Ref{UUID: found.UUID, Name: found.Name}, err
}

// unresolved reports whether a look-up failed because of the spec or the inventory of Prism Central. If Prism Central
// could not be reached, it returns false.
func unresolved(err error) bool {
	var problem *provisioning.Problem
	return errors.As(err, &problem) || provisioning.IsLookUp(err)
}
