package nutanixmachine

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
)

// bytesPerMiB is the number of bytes in one MiB. Prism Central measures memory and disk sizes in MiB.
const bytesPerMiB = 1 << 20

// gather returns the inputs of the renderer. No other step resolves names to UUIDs.
func (r *Reconciler) gather(ctx context.Context, s *scope) (renderer.Machine, error) {
	pins, pinned, err := r.gatherPins(ctx, s)
	if err != nil {
		return renderer.Machine{}, err
	}
	categories, err := gatherCategories(ctx, s, pins)
	if err != nil {
		return renderer.Machine{}, err
	}
	if !slices.Equal(pins.Categories, categories.refs) {
		pins.Categories, pinned = categories.refs, pinned && s.uuid() == ""
	}
	s.pins, s.unpinned = *pins, !pinned
	s.nutanixMachine.Status.FailureDomain = pins.FailureDomain
	return machineInputs(s.nutanixMachine, s.machine.Name, pins, categories), nil
}

// machineInputs returns the inputs of the renderer for a machine. name is the name of the VM.
func machineInputs(machine *infrav1.NutanixMachine, name string, pins *pinnedInputs, categories vmCategories) renderer.Machine {
	return renderer.Machine{
		Name:           name,
		Description:    mark(machine),
		Sockets:        machine.Spec.VCPUSockets,
		VCPUsPerSocket: machine.Spec.VCPUsPerSocket,
		MemoryMiB:      mebibytes(machine.Spec.MemorySize),
		Categories:     categories.values,
		CategoryRefs:   categories.refs,
		PrismElement:   pins.PrismElement,
		Subnets:        pins.Subnets,
		Project:        pins.Project,
		Disks:          pins.Disks,
		GPUs:           pins.GPUs,
		BootType:       pins.BootType,
		CloudInit:      pins.CloudInit,
	}
}

// mebibytes returns a quantity in MiB. It rounds up, so that a VM is never smaller than its spec.
func mebibytes(quantity resource.Quantity) int64 {
	return (quantity.Value() + bytesPerMiB - 1) / bytesPerMiB
}

// variables returns the sensitive inputs by name. Runs receive them as variables, and they are never written to the
// workspace.
func (r *Reconciler) variables(ctx context.Context, s *scope, inputs renderer.Machine) (map[string]string, error) {
	if !inputs.CloudInit {
		return nil, nil
	}
	data, err := r.bootstrapData(ctx, s)
	if err != nil {
		return nil, err
	}
	userData := renderer.UserData(data, inputs.Name)
	if s.vmUUID() == "" && len(userData) > renderer.MaxUserDataBytes {
		return nil, userDataTooLarge(s, len(userData))
	}
	return map[string]string{renderer.UserDataVariable: encode(userData)}, nil
}

func userDataTooLarge(s *scope, size int) *provisioning.Problem {
	return &provisioning.Problem{Reason: infrav1.BootstrapDataTooLargeReason, Message: fmt.Sprintf(
		"user data of Machine %s has %d bytes, and AHV accepts at most %d: move files into the image, encode them as gzip+base64 in the bootstrap configuration, or boot from an image with spec.bootstrapRef",
		s.machine.Name, size, renderer.MaxUserDataBytes)}
}
