package v1beta1

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Minimum sizes of a node. CAPX has the same minimum sizes.
var (
	minMemorySize     = resource.MustParse("2Gi")
	minSystemDiskSize = resource.MustParse("20Gi")
	minDataDiskSize   = resource.MustParse("1Gi")
)

// maxNICs is the maximum number of network cards of a VM. The CRD schema has the same limit.
const maxNICs = 32

// Validate checks the spec of a machine without a request to Prism Central. Subnets and Prism Element may be missing, because
// a failure domain may set them.
func (s *NutanixMachineSpec) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, s.validateCompute(path)...)
	errs = append(errs, s.validateImage(path)...)
	errs = append(errs, s.validatePlacement(path)...)
	errs = append(errs, validateCategories(path, s.Categories, s.AdditionalCategories)...)
	errs = append(errs, s.validateDisks(path)...)
	errs = append(errs, validateGPUs(path.Child("gpus"), s.GPUs)...)
	errs = append(errs, validateBootstrapRef(path.Child("bootstrapRef"), s.BootstrapRef)...)
	return errs
}

func (s *NutanixMachineSpec) validateCompute(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.VCPUSockets < 1 {
		errs = append(errs, field.Invalid(path.Child("vcpuSockets"), s.VCPUSockets, "must be at least 1"))
	}
	if s.VCPUsPerSocket < 1 {
		errs = append(errs, field.Invalid(path.Child("vcpusPerSocket"), s.VCPUsPerSocket, "must be at least 1"))
	}
	errs = append(errs, validateMinimum(path.Child("memorySize"), s.MemorySize, minMemorySize)...)
	switch s.BootType {
	case "", NutanixBootTypeLegacy, NutanixBootTypeUEFI:
	default:
		errs = append(errs, field.NotSupported(path.Child("bootType"), s.BootType,
			[]NutanixBootType{NutanixBootTypeLegacy, NutanixBootTypeUEFI}))
	}
	return errs
}

func validateMinimum(path *field.Path, size, minimum resource.Quantity) field.ErrorList {
	if size.Cmp(minimum) >= 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, size.String(), fmt.Sprintf("must be at least %s", minimum.String()))}
}

func (s *NutanixMachineSpec) validateImage(path *field.Path) field.ErrorList {
	switch {
	case s.Image == nil && s.ImageLookup == nil:
		return field.ErrorList{field.Required(path.Child("image"), "set exactly one of image and imageLookup")}
	case s.Image != nil && s.ImageLookup != nil:
		return field.ErrorList{field.Forbidden(path.Child("imageLookup"), "image is set too: set exactly one of image and imageLookup")}
	case s.Image != nil:
		return s.Image.Validate(path.Child("image"))
	default:
		return s.ImageLookup.Validate(path.Child("imageLookup"))
	}
}

func (s *NutanixMachineSpec) validatePlacement(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if !s.Cluster.IsZero() {
		errs = append(errs, s.Cluster.Validate(path.Child("cluster"))...)
	}
	errs = append(errs, validateSubnets(path.Child("subnet"), s.Subnets)...)
	if s.Project != nil {
		errs = append(errs, s.Project.Validate(path.Child("project"))...)
	}
	return errs
}

func validateSubnets(path *field.Path, subnets []NutanixResourceIdentifier) field.ErrorList {
	var errs field.ErrorList
	if len(subnets) > maxNICs {
		errs = append(errs, field.TooMany(path, len(subnets), maxNICs))
	}
	type identity struct {
		kind NutanixIdentifierType
		key  string
	}
	seen := map[identity]bool{}
	for i, subnet := range subnets {
		errs = append(errs, subnet.Validate(path.Index(i))...)
		id := identity{subnet.Type, subnet.key()}
		if seen[id] {
			errs = append(errs, field.Duplicate(path.Index(i), subnet.String()))
		}
		seen[id] = true
	}
	return errs
}

func validateGPUs(path *field.Path, gpus []NutanixGPU) field.ErrorList {
	var errs field.ErrorList
	for i, gpu := range gpus {
		errs = append(errs, gpu.Validate(path.Index(i))...)
	}
	return errs
}

// Validate checks that exactly the value of the type is set.
func (g NutanixGPU) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch g.Type {
	case NutanixGPUIdentifierName:
		if ptr.Deref(g.Name, "") == "" {
			errs = append(errs, field.Required(path.Child("name"), "type is name: set the name of the GPU"))
		}
		if g.DeviceID != nil {
			errs = append(errs, field.Forbidden(path.Child("deviceID"), "type is name: remove deviceID, or set type to deviceID"))
		}
	case NutanixGPUIdentifierDeviceID:
		if g.DeviceID == nil {
			errs = append(errs, field.Required(path.Child("deviceID"), "type is deviceID: set the device ID of the GPU"))
		}
		if ptr.Deref(g.Name, "") != "" {
			errs = append(errs, field.Forbidden(path.Child("name"), "type is deviceID: remove name, or set type to name"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("type"), g.Type,
			[]NutanixGPUIdentifierType{NutanixGPUIdentifierName, NutanixGPUIdentifierDeviceID}))
	}
	return errs
}

func validateBootstrapRef(path *field.Path, ref *corev1.ObjectReference) field.ErrorList {
	if ref == nil || *ref == (corev1.ObjectReference{}) {
		return nil
	}
	var errs field.ErrorList
	switch ref.Kind {
	case NutanixMachineBootstrapRefKindSecret, NutanixMachineBootstrapRefKindImage:
	default:
		errs = append(errs, field.NotSupported(path.Child("kind"), ref.Kind,
			[]string{NutanixMachineBootstrapRefKindSecret, NutanixMachineBootstrapRefKindImage}))
	}
	if ref.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "set the name of the Secret or image"))
	}
	return errs
}
