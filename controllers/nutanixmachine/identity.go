package nutanixmachine

import (
	"context"
	"errors"
	"fmt"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

// identity finds the VM of a machine during a run. It reads the machine past the cache, and it does not cache responses
// of Prism Central.
type identity struct {
	reconciler *Reconciler
	central    *prism.Client
	machine    recordedMachine
	// key is the key of the target. name is the name of the VM. deleting is true if the machine is being deleted.
	key      string
	name     string
	deleting bool
}

// identify implements lifecycle.Hooks.Identify.
func (i identity) identify(ctx context.Context, known string) (string, error) {
	machine, err := i.machine.read(ctx)
	switch {
	case err != nil:
		return "", err
	case i.deleting:
		return i.identifyForDestroy(ctx, machine, known)
	case vmUUIDOf(machine) != "":
		return i.identifyNamed(ctx, machine, known)
	case intentOf(machine) != nil:
		return "", &lifecycle.WaitError{Reason: infrav1.CreateUnconfirmedReason, Message: "it is not known yet what came of an earlier create"}
	case known != "":
		return i.identifyKnown(ctx, machine, known)
	default:
		return i.identifyByMark(ctx, machine)
	}
}

// identifyNamed returns the UUID of the VM that the machine references, or an empty string if the state already
// contains that VM.
func (i identity) identifyNamed(ctx context.Context, machine *infrav1.NutanixMachine, known string) (string, error) {
	named := vmUUIDOf(machine)
	vm, err := i.central.VM(ctx, named)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return "", &lifecycle.WaitError{Reason: infrav1.VMNotFoundReason, Message: "Prism Central does not find virtual machine " + named + ": it is searched for again"}
	case err != nil:
		return "", err
	case markedForOther(vm.Description, machine):
		return "", &lifecycle.ForeignError{ID: named, Message: belongsToOther(vm)}
	case known == named:
		return "", nil
	case known != "":
		if err := i.requireNotOurs(ctx, machine, *vm, known); err != nil {
			return "", err
		}
	}
	if _, published := providerid.Parse(machine.Spec.ProviderID); published {
		return named, nil
	}
	if err := requireUsable(vm); err != nil {
		return named, err
	}
	return named, i.requireCreated(ctx, machine, vm)
}

// requireCreated returns an error if the task of a create through the v4 API has not ended or has failed, although its VM exists. A VM of the
// v4 API has no state that shows this.
func (i identity) requireCreated(ctx context.Context, machine *infrav1.NutanixMachine, vm *prism.VM) error {
	intent := intentOf(machine)
	if intent == nil || intent.Attempt == 0 || intent.Task == "" {
		return nil
	}
	task, err := i.central.Task(ctx, intent.Task)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return nil // Prism Central removes old tasks
	case err != nil:
		return err
	case task.Running():
		return &lifecycle.WaitError{Reason: infrav1.CreateUnconfirmedReason, Message: fmt.Sprintf(
			"task %s, which creates virtual machine %s (%s), has not ended", intent.Task, vm.Name, vm.UUID)}
	case task.Failed():
		return &lifecycle.ConflictError{Message: fmt.Sprintf(
			"the creation of virtual machine %s (%s) of this NutanixMachine failed in Prism Central (task %s: %s): delete it there, or delete the Machine to have it replaced",
			vm.Name, vm.UUID, intent.Task, task.Error)}
	}
	return nil
}

// requireNotOurs returns an error if the machine references one VM, but the state contains another VM whose description
// identifies the same machine. If the run replaced the VM in the state, nothing would delete the former VM from Prism
// Central.
func (i identity) requireNotOurs(ctx context.Context, machine *infrav1.NutanixMachine, named prism.VM, known string) error {
	vm, err := i.central.VM(ctx, known)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return nil
	case err != nil:
		return err
	case marked(vm.Description, machine):
		problem := duplicates([]prism.VM{named, *vm})
		return &lifecycle.ConflictError{Reason: problem.Reason, Message: problem.Message}
	}
	return nil
}

// identifyKnown checks a VM that only the state references. If Prism Central does not find the VM, searches continue
// until the absence of the VM is confirmed. Then Terraform may create another VM, because the missing VM was never
// published.
func (i identity) identifyKnown(ctx context.Context, machine *infrav1.NutanixMachine, known string) (string, error) {
	vm, err := i.central.VM(ctx, known)
	var notFound *prism.NotFoundError
	switch {
	case err == nil && markedForOther(vm.Description, machine):
		return "", &lifecycle.ForeignError{ID: known, Message: belongsToOther(vm)}
	case err == nil:
		return "", nil
	case !errors.As(err, &notFound):
		return "", err
	}
	absent := false
	i.reconciler.absences.with(i.key, func(s *searched) {
		absent = s.suspect == known && s.absence.verdict(i.reconciler.absencePeriod()) != searching
		s.suspect = known
	})
	importID, err := i.identifyByMark(ctx, machine)
	switch {
	case err != nil || importID != "":
		return importID, err
	case absent:
		return "", &lifecycle.AbsentError{ID: known}
	}
	return "", &lifecycle.WaitError{Reason: infrav1.VMNotFoundReason, Message: "Prism Central does not find virtual machine " + known + ", which the state knows: it is searched for again"}
}

// identifyByMark searches for the VM of a machine that has neither a create intent nor a UUID. The search compares the
// descriptions of VMs with the machine. Such a VM exists if the annotations of the machine were lost, for example
// because an old backup of the machine was restored.
func (i identity) identifyByMark(ctx context.Context, machine *infrav1.NutanixMachine) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	result, _, err := look(ctx, i.central, i.reconciler.query(i.key, machine, i.name)) // whether the search is conclusive does not matter here
	switch {
	case err != nil:
		return "", err
	case len(result.ours) > 1:
		problem := duplicates(result.ours)
		return "", &lifecycle.ConflictError{Reason: problem.Reason, Message: problem.Message}
	case len(result.ours) == 1:
		return result.ours[0].UUID, requireUsable(&result.ours[0])
	case len(result.sameName) > 0:
		return "", &lifecycle.ConflictError{Message: fmt.Sprintf(
			"a virtual machine named %s that is not ours exists in Prism Central (%s): rename or delete it, or delete the Machine to get one of another name",
			i.name, listUUIDs(result.sameName))}
	}
	return "", nil
}

// requireUsable returns an error for a VM whose creation has not succeeded. Unless the machine is being deleted, such a
// VM must not enter the state, because Terraform would replace the VM.
func requireUsable(vm *prism.VM) error {
	switch vm.State {
	case "COMPLETE":
		return nil
	case "ERROR":
		return &lifecycle.ConflictError{Message: fmt.Sprintf(
			"virtual machine %s (%s) of this NutanixMachine is in state ERROR, its creation failed in Prism Central: see its task there, then delete it there, or delete the Machine to have it replaced", vm.Name, vm.UUID)}
	default:
		return fmt.Errorf("virtual machine %s (%s) of this NutanixMachine is in state %s: waiting for Prism Central to finish it", vm.Name, vm.UUID, vm.State)
	}
}

// healthy implements lifecycle.Hooks.Healthy. It returns false for a VM that does not exist, and an error for a VM that
// Prism Central is still creating.
func (i identity) healthy(ctx context.Context, id string) (bool, error) {
	machine, err := i.machine.read(ctx)
	if err != nil {
		return false, err
	}
	vm, err := i.central.VM(ctx, id)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return false, nil
	case err != nil:
		return false, err
	case vm.State != "COMPLETE" && vm.State != "ERROR":
		return false, requireUsable(vm)
	}
	return vm.State == "COMPLETE" && marked(vm.Description, machine), nil
}
