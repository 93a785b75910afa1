package nutanixmachine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// pinnedInputs are the inputs of the renderer that cannot change once the VM exists. The plan that creates the VM
// resolves them, and they are then stored in an annotation.
type pinnedInputs struct {
	// PrismElement is the Prism Element that runs the VM.
	PrismElement renderer.Ref `json:"prismElement"`
	// Subnets are the subnets of the network interfaces, in the same order.
	Subnets []renderer.Ref `json:"subnets"`
	// Project is the project of the VM; nil means the default project.
	Project *renderer.Ref `json:"project,omitempty"`
	// Disks are the disks of the VM. They contain the UUIDs of their images and storage containers.
	Disks []renderer.Disk `json:"disks"`
	GPUs  []renderer.GPU  `json:"gpus,omitempty"`
	// Categories are the categories of the VM with the v4 API, as they were resolved last. Unlike the other inputs they change with the spec.
	Categories []renderer.Ref `json:"categories,omitempty"`
	// BootType is LEGACY, UEFI, SECURE_BOOT or empty.
	BootType string `json:"bootType,omitempty"`
	// CloudInit is true if the bootstrap data was passed to cloud-init as user data when the VM was created.
	CloudInit bool `json:"cloudInit,omitempty"`
	// FailureDomain is the name of the failure domain of the VM, or empty.
	FailureDomain string `json:"failureDomain,omitempty"`
}

// encode returns the pinned inputs as the value of the annotation.
func (p *pinnedInputs) encode() (string, error) {
	content, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encoding annotation %s: %w", infrav1.PinnedInputsAnnotation, err)
	}
	return string(content), nil
}

// readPins returns the pinned inputs in the annotation of a machine, or nil if there is no annotation. If the
// annotation cannot be parsed, readPins returns nil, and the annotation is rebuilt from the VM and the spec.
func readPins(machine *infrav1.NutanixMachine) *pinnedInputs {
	pins := &pinnedInputs{}
	if err := json.Unmarshal([]byte(machine.Annotations[infrav1.PinnedInputsAnnotation]), pins); err != nil || pins.PrismElement.UUID == "" {
		return nil
	}
	return pins
}

// gatherPins returns the pinned inputs of a machine. Once the VM exists, the annotation provides the inputs, so later
// changes of the spec, a failure domain or Prism Central do not affect them. The only exception is the Prism Element,
// which is read from the VM, because a VM can be moved. pinned is false if the VM exists but the annotation has to be
// written.
//
// If a machine with a VM has no annotation, CAPNT 0.1 created the VM or spec.providerID adopted it. gatherPins then
// resolves the inputs from the spec as far as possible.
func (r *Reconciler) gatherPins(ctx context.Context, s *scope) (pins *pinnedInputs, pinned bool, err error) {
	pins = readPins(s.nutanixMachine)
	switch {
	case s.vmUUID() == "" && (pins == nil || intentOf(s.nutanixMachine) == nil):
		pins, err = r.resolve(ctx, s, nil)
		return pins, true, err // the inputs will be pinned when the create request is sent
	case s.uuid() == "" && pins != nil:
		return pins, true, nil // the create request was sent, but Prism Central may not show the VM yet
	}
	vm, err := s.readVM(ctx)
	var notFound *prism.NotFoundError
	switch {
	case err != nil && !errors.As(err, &notFound):
		return nil, false, err
	case pins == nil:
		pins, err = r.resolve(ctx, s, vm)
		return pins, vm == nil, err
	case vm != nil && vm.PrismElement != "" && !strings.EqualFold(vm.PrismElement, pins.PrismElement.UUID):
		pins.PrismElement = renderer.Ref{UUID: vm.PrismElement}
		return pins, false, nil
	}
	return pins, true, nil
}

// pin writes the pinned inputs of an existing VM to the annotation of the machine. It first reads the machine past the
// cache, because a stale cache may lack inputs that were pinned when the VM was created.
func (r *Reconciler) pin(ctx context.Context, s *scope) error {
	if !s.unpinned || r.Pipeline.Scheduler.Running(r.unrendered(s).Key()) {
		return nil
	}
	value, err := s.pins.encode()
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(s.nutanixMachine)
	current := &infrav1.NutanixMachine{}
	if err := r.Reader.Get(ctx, key, current); err != nil {
		return fmt.Errorf("reading NutanixMachine %s past the cache: %w", key, err)
	}
	if cacheIsBehind(s.nutanixMachine, current) {
		s.unfinished = true // the event that updates the cache triggers the next reconcile
		return nil
	}
	before, pinned := current.DeepCopy(), map[string]string{infrav1.PinnedInputsAnnotation: value}
	annotations.AddAnnotations(current, pinned)
	if err := r.Client.Patch(ctx, current, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("pinning the inputs of NutanixMachine %s: %w", key, err)
	}
	annotations.AddAnnotations(s.nutanixMachine, pinned)
	return nil
}

// cacheIsBehind reports whether the cached machine is stale in a field that affects the pinned inputs.
func cacheIsBehind(cached, current *infrav1.NutanixMachine) bool {
	return cached.UID != current.UID || cached.Spec.ProviderID != current.Spec.ProviderID || cached.Status.VMUUID != current.Status.VMUUID ||
		cached.Annotations[infrav1.CreateIntentAnnotation] != current.Annotations[infrav1.CreateIntentAnnotation] ||
		cached.Annotations[infrav1.PinnedInputsAnnotation] != current.Annotations[infrav1.PinnedInputsAnnotation]
}
