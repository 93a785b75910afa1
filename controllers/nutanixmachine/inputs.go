package nutanixmachine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// bytesPerMiB converts quantities to what Prism Central counts in.
const bytesPerMiB = 1 << 20

// gather resolves everything in the spec to what the renderer needs: names become UUIDs here and nowhere else.
func (r *Reconciler) gather(ctx context.Context, s *scope) (renderer.Machine, error) {
	spec := &s.nutanixMachine.Spec
	place, err := r.place(ctx, s)
	if err != nil {
		return renderer.Machine{}, err
	}
	inputs := renderer.Machine{
		Name:           s.machine.Name,
		Description:    mark(s.nutanixMachine),
		Sockets:        spec.VCPUSockets,
		VCPUsPerSocket: spec.VCPUsPerSocket,
		MemoryMiB:      mebibytes(spec.MemorySize),
		BootType:       strings.ToUpper(string(spec.BootType)),
		CloudInit:      !bootsFromImage(s) && s.machine.Spec.Bootstrap.DataSecretName != nil,
	}
	for _, gather := range []func(context.Context, *scope, placement, *renderer.Machine) error{
		gatherPlacement, gatherProject, gatherCategories, gatherDisks, gatherGPUs,
	} {
		if err := gather(ctx, s, place, &inputs); err != nil {
			return renderer.Machine{}, err
		}
	}
	s.nutanixMachine.Status.FailureDomain = place.failureDomain
	return inputs, nil
}

func gatherPlacement(ctx context.Context, s *scope, place placement, inputs *renderer.Machine) error {
	element, err := s.access.Client.PrismElement(ctx, place.prismElement)
	if err != nil {
		return fmt.Errorf("resolving spec.cluster: %w", err)
	}
	inputs.PrismElement = renderer.Ref{UUID: element.UUID, Name: element.Name}
	for i, identifier := range place.subnets {
		found, err := s.access.Client.Subnet(ctx, identifier, element.UUID)
		subnet, err := s.onceUsed(found, err)
		if err != nil {
			return fmt.Errorf("resolving spec.subnet[%d]: %w", i, err)
		}
		first := slices.IndexFunc(inputs.Subnets, func(other renderer.Ref) bool { return other.UUID == subnet.UUID })
		if first >= 0 && s.uuid() == "" {
			return sameSubnet(place, first, i, subnet)
		}
		inputs.Subnets = append(inputs.Subnets, subnet)
	}
	return nil
}

// sameSubnet is the problem of two entries that are one subnet, one by name and one by UUID perhaps.
func sameSubnet(place placement, first, second int, subnet renderer.Ref) *provisioning.Problem {
	list, owner := "spec.subnet", ""
	if place.failureDomain != "" {
		list, owner = "subnets", " of failure domain "+place.failureDomain
	}
	return &provisioning.Problem{Reason: infrav1.SubnetDuplicateReason, Message: fmt.Sprintf(
		"%s[%d] and %s[%d]%s are the same subnet %s (%s): name it once", list, first, list, second, owner, subnet.Name, subnet.UUID)}
}

func gatherProject(ctx context.Context, s *scope, _ placement, inputs *renderer.Machine) error {
	identifier := s.nutanixMachine.Spec.Project
	if identifier == nil {
		return nil
	}
	found, err := s.access.Client.Project(ctx, *identifier)
	project, err := s.onceUsed(found, err)
	if err != nil {
		return fmt.Errorf("resolving spec.project: %w", err)
	}
	inputs.Project = &project
	return nil
}

// gatherCategories merges both lists of categories with the mark of the cluster. Categories of the user have to exist.
func gatherCategories(ctx context.Context, s *scope, _ placement, inputs *renderer.Machine) error {
	inputs.Categories = s.nutanixMachine.Spec.MergedCategories()
	for _, key := range slices.Sorted(maps.Keys(inputs.Categories)) {
		value := inputs.Categories[key]
		exists, err := s.access.Client.CategoryExists(ctx, key, value)
		if err != nil {
			return fmt.Errorf("resolving category %s=%s: %w", key, value, err)
		}
		if !exists {
			return &provisioning.Problem{Reason: infrav1.CategoryNotFoundReason, Message: fmt.Sprintf(
				"category %s=%s of spec.categories or spec.additionalCategories does not exist in Prism Central: create it there, or take it out", key, value)}
		}
	}
	inputs.Categories[infrav1.CategoryKey] = s.cluster.Name
	return nil
}

func gatherDisks(ctx context.Context, s *scope, _ placement, inputs *renderer.Machine) error {
	spec := &s.nutanixMachine.Spec
	image, err := resolveImage(ctx, s)
	if err != nil {
		return err
	}
	system := renderer.Disk{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: mebibytes(spec.SystemDiskSize), Image: &image}
	var data []renderer.Disk
	if bootsFromImage(s) {
		name := spec.BootstrapRef.Name
		bootstrap, err := s.image(ctx, infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name})
		if err != nil {
			return fmt.Errorf("resolving spec.bootstrapRef: %w", err)
		}
		data = append(data, renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE, Image: &bootstrap})
	}
	for i := range spec.DataDisks {
		disk, err := resolveDisk(ctx, s, spec.DataDisks[i], inputs.PrismElement.UUID)
		if err != nil {
			return fmt.Errorf("resolving spec.dataDisks[%d]: %w", i, err)
		}
		data = append(data, disk)
	}
	if inputs.Disks, err = renderer.AssignDisks(system, data); err != nil {
		return &provisioning.Problem{Reason: infrav1.InvalidSpecReason, Message: err.Error()}
	}
	return nil
}

func resolveImage(ctx context.Context, s *scope) (renderer.Ref, error) {
	spec := &s.nutanixMachine.Spec
	if spec.ImageLookup != nil {
		found, err := s.access.Client.ImageLookup(ctx, *spec.ImageLookup, s.machine.Spec.Version)
		image, err := s.onceUsed(found.Entity, err)
		if err != nil {
			return renderer.Ref{}, fmt.Errorf("resolving spec.imageLookup: %w", err)
		}
		return image, nil
	}
	if spec.Image == nil {
		return renderer.Ref{}, &provisioning.Problem{Reason: infrav1.InvalidSpecReason, Message: "spec.image and spec.imageLookup are both unset: set one of them in the template"}
	}
	image, err := s.image(ctx, *spec.Image)
	if err != nil {
		return renderer.Ref{}, fmt.Errorf("resolving spec.image: %w", err)
	}
	return image, nil
}

func (s *scope) image(ctx context.Context, identifier infrav1.NutanixResourceIdentifier) (renderer.Ref, error) {
	found, err := s.access.Client.Image(ctx, identifier)
	return s.onceUsed(found.Entity, err)
}

// onceUsed forgives a machine that exists that something it was made from is gone, has a namesake or is elsewhere: it has its
// disks, network cards and project, and the workspace ignores what becomes of them.
func (s *scope) onceUsed(found prism.Entity, err error) (renderer.Ref, error) {
	if s.forgives(err) {
		return renderer.Ref{UUID: nowhere, Name: "one that is gone"}, nil
	}
	return renderer.Ref{UUID: found.UUID, Name: found.Name}, err
}

// forgives reports whether the machine exists and err says that something is not, or not any more, what it was when the
// machine was made of it.
func (s *scope) forgives(err error) bool {
	var notFound *prism.NotFoundError
	var ambiguous *prism.AmbiguousError
	var misplaced *prism.WrongPrismElementError
	var unavailable *prism.UnavailableError
	return s.uuid() != "" &&
		(errors.As(err, &notFound) || errors.As(err, &ambiguous) || errors.As(err, &misplaced) || errors.As(err, &unavailable))
}

// deviceTypes translates the device types of the API.
var deviceTypes = map[infrav1.NutanixMachineDiskDeviceType]string{
	infrav1.NutanixMachineDiskDeviceTypeDisk:  renderer.DeviceDisk,
	infrav1.NutanixMachineDiskDeviceTypeCDRom: renderer.DeviceCDROM,
}

func resolveDisk(ctx context.Context, s *scope, spec infrav1.NutanixMachineVMDisk, prismElement string) (renderer.Disk, error) {
	disk := renderer.Disk{SizeMiB: mebibytes(spec.DiskSize)}
	if device := spec.DeviceProperties; device != nil {
		disk.DeviceType, disk.AdapterType, disk.Index = deviceTypes[device.DeviceType], string(device.AdapterType), int(device.DeviceIndex)
	}
	if spec.DataSource != nil {
		image, err := s.image(ctx, *spec.DataSource)
		if err != nil {
			return disk, err
		}
		disk.Image = &image
	}
	if storage := spec.StorageConfig; storage != nil {
		disk.FlashMode = storage.DiskMode == infrav1.NutanixMachineDiskModeFlash
		if storage.StorageContainer != nil {
			found, err := s.access.Client.StorageContainer(ctx, *storage.StorageContainer, prismElement)
			container, err := s.onceUsed(found, err)
			if err != nil {
				return disk, err
			}
			disk.StorageContainer = &container
		}
	}
	return disk, nil
}

// gatherGPUs resolves the GPUs. A machine that exists holds its own, which therefore are not free any more. Where its Prism
// Element has no such GPUs any more, the workspace does not mention GPUs: the provider then leaves alone what the machine has.
func gatherGPUs(ctx context.Context, s *scope, _ placement, inputs *renderer.Machine) error {
	find := s.access.Client.GPUs
	if s.uuid() != "" || s.nutanixMachine.Status.VMUUID != "" {
		find = s.access.Client.GPUModels
	}
	gpus, err := find(ctx, s.nutanixMachine.Spec.GPUs, inputs.PrismElement.UUID)
	if s.forgives(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("resolving spec.gpus: %w", err)
	}
	for _, gpu := range gpus {
		inputs.GPUs = append(inputs.GPUs, renderer.GPU{Vendor: gpu.Vendor, Mode: gpu.Mode, DeviceID: gpu.DeviceID, Name: gpu.Name})
	}
	return nil
}

// mebibytes rounds up: nobody gets less than was asked for.
func mebibytes(quantity resource.Quantity) int64 {
	return (quantity.Value() + bytesPerMiB - 1) / bytesPerMiB
}

// variables are the sensitive inputs of the workspace: what never becomes part of it.
func (r *Reconciler) variables(ctx context.Context, s *scope, inputs renderer.Machine) (map[string]string, error) {
	if !inputs.CloudInit {
		return nil, nil
	}
	data, err := r.bootstrapData(ctx, s)
	if err != nil {
		return nil, err
	}
	return map[string]string{renderer.UserDataVariable: encode(renderer.UserData(data, inputs.Name))}, nil
}
