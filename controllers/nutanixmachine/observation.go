package nutanixmachine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/renderer"
)

// observe reads the VM of a machine and sets VMPoweredOn. The pipeline uses the observation to decide its next step. If
// the VM cannot be read, later steps report the error.
func (r *Reconciler) observe(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.uuid() != "" {
		r.reportPower(ctx, s)
	}
	return ctrl.Result{}, nil
}

// observeKnown uses the VM that a recent reconcile read, or the VM in a list that all machines share. It does so only if nothing is due
// for the machine, and uses the list only if the VM is the same as when the last plan found no changes. Otherwise later steps read the VM
// itself.
func (r *Reconciler) observeKnown(_ context.Context, s *scope) (ctrl.Result, error) {
	uuid := s.uuid()
	if uuid == "" || !conditions.IsTrue(s.nutanixMachine, infrav1.VMPoweredOnCondition) {
		return ctrl.Result{}, nil
	}
	vm := r.recent.get(r.key(s), uuid, r.Pipeline.Clock.Now(), r.ReadInterval)
	if terraform := s.nutanixMachine.Status.Terraform; vm == nil && terraform != nil && terraform.InfrastructureDigest != "" {
		if listed := s.access.Client.ListedVM(uuid, r.HealthInterval); listed != nil && listed.Digest == terraform.InfrastructureDigest {
			vm = listed
		}
	}
	if vm == nil {
		return ctrl.Result{}, nil
	}
	s.seen = &seen{uuid: uuid, vm: vm, known: true}
	if !r.Pipeline.Idle(r.unrendered(s)) {
		s.seen = nil
	}
	return ctrl.Result{}, nil
}

// reportPower sets VMPoweredOn. If Prism Central cannot be reached, the condition does not change.
func (r *Reconciler) reportPower(ctx context.Context, s *scope) {
	written := conditions.Has(s.nutanixMachine, infrav1.VMPoweredOnCondition)
	wasOff := conditions.IsFalse(s.nutanixMachine, infrav1.VMPoweredOnCondition)
	vm, err := s.readVM(ctx)
	switch {
	case err != nil && !written && ptr.Deref(s.nutanixMachine.Status.Initialization.Provisioned, false):
		provisioning.Set(s.nutanixMachine, infrav1.VMPoweredOnCondition, metav1.ConditionUnknown, infrav1.PrismUnreachableReason, err.Error())
	case err != nil:
	case switchedOff(vm):
		message := powerMessage(vm, s.nutanixMachine)
		provisioning.Set(s.nutanixMachine, infrav1.VMPoweredOnCondition, metav1.ConditionFalse, infrav1.VMPoweredOffReason, message)
		if !wasOff {
			r.Recorder.Eventf(s.nutanixMachine, nil, corev1.EventTypeWarning, infrav1.VMPoweredOffReason, "Observe", "%s", message)
		}
	default:
		provisioning.Set(s.nutanixMachine, infrav1.VMPoweredOnCondition, metav1.ConditionTrue, infrav1.VMPoweredOnReason, "")
		if wasOff {
			r.Recorder.Eventf(s.nutanixMachine, nil, corev1.EventTypeNormal, infrav1.VMPoweredOnReason, "Observe", "Virtual machine %s is switched on again", vm.UUID)
		}
	}
}

// switchedOff reports whether a VM is in a power state other than ON, for example off, paused or suspended.
func switchedOff(vm *prism.VM) bool { return vm.PowerState != "" && vm.PowerState != "ON" }

// powerCycled reports whether a VM is off because an apply to machine that switched it off was interrupted.
func powerCycled(vm *prism.VM, machine *infrav1.NutanixMachine) bool {
	return vm.PowerState == "OFF" && machine.Annotations[infrav1.PowerCycleAnnotation] == vm.UUID
}

func powerMessage(vm *prism.VM, machine *infrav1.NutanixMachine) string {
	switch {
	case switchedOnByPlan(vm, machine):
		return fmt.Sprintf("virtual machine %s is in power state %s: a run that switches it on was interrupted, and the next plan switches it on", vm.UUID, vm.PowerState)
	case powerCycled(vm, machine):
		return fmt.Sprintf("virtual machine %s is in power state %s: an update that switches it off and on again was interrupted; it is switched on by the next plan that power-cycles it, once that plan is approved, or by somebody in Prism Central", vm.UUID, vm.PowerState)
	}
	return fmt.Sprintf("virtual machine %s is in power state %s: it is not switched on and gets no updates until somebody switches it on; a MachineHealthCheck can replace the Machine", vm.UUID, vm.PowerState)
}

// observation returns the observation of this reconcile, or nil if the VM was not read.
func (s *scope) observation() *lifecycle.Observation {
	if s.seen == nil || s.seen.err != nil {
		return nil
	}
	observed := observed(s.seen.vm, s.nutanixMachine)
	return &observed
}

// observer reads the VM of a machine during a run of the pipeline, and records while a plan may switch the VM off.
type observer struct {
	client   *prism.Client
	machine  *infrav1.NutanixMachine
	recorded recordedMachine
}

// powerCycle implements lifecycle.Hooks.PowerCycle. It writes the ID of the VM to the annotation of the machine.
func (o observer) powerCycle(ctx context.Context, id string) error {
	if err := o.recorded.change(ctx, func(machine *infrav1.NutanixMachine) error {
		annotations.AddAnnotations(machine, map[string]string{infrav1.PowerCycleAnnotation: id})
		return nil
	}); err != nil {
		return fmt.Errorf("recording that virtual machine %s may be switched off for NutanixMachine %s: %w", id, o.recorded.key, err)
	}
	annotations.AddAnnotations(o.machine, map[string]string{infrav1.PowerCycleAnnotation: id})
	return nil
}

// powerCycleEnded removes the annotation that powerCycle has written.
func (o observer) powerCycleEnded(ctx context.Context) error {
	if err := o.recorded.change(ctx, func(machine *infrav1.NutanixMachine) error {
		delete(machine.Annotations, infrav1.PowerCycleAnnotation)
		return nil
	}); err != nil {
		return fmt.Errorf("recording that the virtual machine of NutanixMachine %s is on again: %w", o.recorded.key, err)
	}
	delete(o.machine.Annotations, infrav1.PowerCycleAnnotation)
	return nil
}

// observe implements lifecycle.Hooks.Observe. A missing VM is an error only if spec.providerID already names the VM.
// Before that, a missing VM can mean that its creation has failed.
func (o observer) observe(ctx context.Context, id string) (lifecycle.Observation, error) {
	vm, err := o.client.VM(ctx, id)
	var notFound *prism.NotFoundError
	_, published := providerid.Parse(o.machine.Spec.ProviderID)
	switch {
	case errors.As(err, &notFound) && !published:
		return lifecycle.Observation{}, nil
	case err != nil:
		return lifecycle.Observation{}, err
	case switchedOff(vm): // the cache may not have the annotation yet
		machine, err := o.recorded.read(ctx)
		if err != nil {
			return lifecycle.Observation{}, err
		}
		return observed(vm, machine), nil
	}
	if _, cycled := o.machine.Annotations[infrav1.PowerCycleAnnotation]; cycled {
		if err := o.powerCycleEnded(ctx); err != nil {
			return lifecycle.Observation{}, err
		}
	}
	return observed(vm, o.machine), nil
}

// observed returns the observation of a VM: the power state and the categories that the machine does not specify. Other
// controllers or people manage both, so they are not part of the workspace.
func observed(vm *prism.VM, machine *infrav1.NutanixMachine) lifecycle.Observation {
	observation := lifecycle.Observation{Found: true, Digest: vm.Digest}
	hold := &plan.Hold{Reason: infrav1.VMPoweredOffReason, Message: powerMessage(vm, machine)}
	switch {
	case switchedOnByPlan(vm, machine):
		observation.SwitchOn = true
	case powerCycled(vm, machine):
		observation.Interrupted = hold
	case switchedOff(vm):
		observation.NoPlan = hold
	}
	if usesV4(machine) {
		observation.Files = renderer.ObservedFiles(foreignRefs(vm, machine), powerOf(vm, machine))
		return observation
	}
	if message := ambiguousCategories(vm); message != "" {
		observation.NoUpdate = &plan.Hold{Reason: infrav1.CategoryValuesAmbiguousReason, Message: message}
	}
	if foreign := foreignValues(vm, machine); len(foreign) > 0 {
		observation.Files = map[string][]byte{renderer.ForeignCategoriesFile: renderer.ForeignCategories(foreign)}
	}
	return observation
}

// switchedOnByPlan reports whether the next plan switches on a VM that is off. With the v4 API the plan contains the power state, and a VM is
// created switched off. So a plan switches on the VM of an interrupted create until the VM is published, and the VM that an interrupted
// apply has switched off. Other VMs stay as they are.
func switchedOnByPlan(vm *prism.VM, machine *infrav1.NutanixMachine) bool {
	if !usesV4(machine) || vm.PowerState != "OFF" {
		return false
	}
	_, published := providerid.Parse(machine.Spec.ProviderID)
	intent := intentOf(machine)
	created := !published && intent != nil && intent.VM == vm.UUID
	return created || powerCycled(vm, machine)
}

// powerOf returns the power state in the workspace of a machine with the v4 API.
func powerOf(vm *prism.VM, machine *infrav1.NutanixMachine) string {
	if switchedOnByPlan(vm, machine) {
		return renderer.PowerOn
	}
	return cmp.Or(vm.PowerState, "UNDETERMINED")
}
