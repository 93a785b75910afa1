package nutanixmachine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

// searchTimeout limits the duration of one search. In a large Prism Central, the list of all VMs has many pages.
const searchTimeout = 2 * time.Minute

// query describes the VM for which a search looks.
type query struct {
	machine *infrav1.NutanixMachine
	// name is the name of the VM.
	name string
	// uuids are the UUIDs of the VM according to the machine and its state.
	uuids []string
	// task is the task of Prism Central that creates the VM, or empty. isVMUnknown is true if the machine does not contain the UUID of the
	// VM that the task creates.
	task        string
	isVMUnknown bool
	// prismElement is the UUID of the Prism Element of the VM, or empty if the Prism Element is unknown.
	prismElement string
	// siblings are the UUIDs of the VMs of the other machines of the cluster. If there are siblings, a search is
	// conclusive only if Prism Central shows at least one of their VMs.
	siblings []string
}

// found is the result of a search.
type found struct {
	// ours are the VMs whose description identifies the machine, and the VMs that the machine references and whose
	// description identifies no machine.
	ours []prism.VM
	// foreign are the VMs that the machine references but whose description identifies another object.
	foreign []prism.VM
	// sameName are other VMs with the same name.
	sameName []prism.VM
	// task is the task that creates the VM, or nil if the task was not read or does not exist.
	task *prism.Task
	// taskError is the error of the task that creates the VM, or empty if the task has not failed.
	taskError string
	// doubt is the reason why the search is inconclusive. If the search is conclusive, doubt is empty.
	doubt string
}

// names returns the VM UUIDs that are recorded in the machine.
func names(machine *infrav1.NutanixMachine) []string {
	var uuids []string
	published, _ := providerid.Parse(machine.Spec.ProviderID)
	for _, uuid := range []string{vmUUIDOf(machine), published} {
		if uuid != "" && !slices.Contains(uuids, uuid) {
			uuids = append(uuids, uuid)
		}
	}
	return uuids
}

// search looks up the VM of a machine by UUID. It also searches the list of all VMs for the description that identifies
// the machine, and for the name of the VM. It uses no cache. If it finds no VM, it checks whether the search is conclusive.
func search(ctx context.Context, central *prism.Client, q query) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	result, all, err := look(ctx, central, q)
	if err == nil && len(result.ours) == 0 {
		err = result.setDoubt(ctx, central, q, all)
	}
	return result, err
}

// look returns the result of a search without doubt, and the list of all VMs. It reads the task only if the task shows an unknown VM.
func look(ctx context.Context, central *prism.Client, q query) (found, prism.VMList, error) {
	var result found
	if q.isVMUnknown {
		if err := result.readTask(ctx, central, q.task); err != nil {
			return found{}, prism.VMList{}, err
		}
		if vm := result.taskVM(); vm != "" && !slices.Contains(q.uuids, vm) {
			q.uuids = append(slices.Clone(q.uuids), vm)
		}
	}
	for _, uuid := range q.uuids {
		if err := result.read(ctx, central, q.machine, uuid); err != nil {
			return found{}, prism.VMList{}, err
		}
	}
	all, err := central.AllVMs(ctx)
	if err != nil {
		return found{}, prism.VMList{}, fmt.Errorf("searching all virtual machines: %w", err)
	}
	for _, vm := range all.VMs {
		switch {
		case slices.Contains(q.uuids, vm.UUID):
		case marked(vm.Description, q.machine):
			// A stale list may still contain a VM that was deleted, so the VM is read again.
			if err := result.read(ctx, central, q.machine, vm.UUID); err != nil {
				return found{}, prism.VMList{}, err
			}
		case vm.Name == q.name:
			result.sameName = append(result.sameName, vm)
		}
	}
	return result, all, nil
}

// read reads the VM with the UUID uuid and adds the VM to the result.
func (f *found) read(ctx context.Context, central *prism.Client, machine *infrav1.NutanixMachine, uuid string) error {
	vm, err := central.VM(ctx, uuid)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
	case err != nil:
		return err
	case markedForOther(vm.Description, machine):
		f.foreign = append(f.foreign, *vm)
	default:
		f.ours = append(f.ours, *vm)
	}
	return nil
}

// setDoubt sets doubt if a search that found no VM is inconclusive.
func (f *found) setDoubt(ctx context.Context, central *prism.Client, q query, all prism.VMList) error {
	elements, err := central.AvailablePrismElements(ctx)
	if err != nil {
		return fmt.Errorf("listing Prism Elements: %w", err)
	}
	if err := f.readTask(ctx, central, q.task); err != nil {
		return err
	}
	switch {
	case f.task != nil && f.task.Running():
		f.doubt = "task " + q.task + ", which creates it, has not ended"
	case q.prismElement != "" && !slices.Contains(elements, strings.ToLower(q.prismElement)):
		f.doubt = "Prism Central does not show its Prism Element " + q.prismElement + " to this account, or is not connected to it"
	case len(elements) == 0:
		f.doubt = "Prism Central shows this account no Prism Element that it is connected to"
	case !all.Complete:
		f.doubt = "the list of virtual machines changed while it was read, or Prism Central counts another number than it lists"
	case len(all.VMs) == 0:
		f.doubt = "Prism Central shows this account no virtual machine at all"
	case len(q.siblings) > 0 && !slices.ContainsFunc(q.siblings, func(uuid string) bool { return all.Find(uuid) != nil }):
		f.doubt = "Prism Central shows this account none of the other virtual machines of the cluster either"
	}
	return nil
}

// readTask reads the task that creates the VM, unless the search has read it before.
func (f *found) readTask(ctx context.Context, central *prism.Client, uuid string) error {
	if uuid == "" || f.task != nil {
		return nil
	}
	task, err := central.Task(ctx, uuid)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return nil
	case err != nil:
		return err
	case task.Failed():
		f.taskError = task.Status + ": " + task.Error
	}
	f.task = task
	return nil
}

// taskVM returns the UUID of the VM that the task creates, or an empty string. Only a task of the v4 API shows the VM.
func (f *found) taskVM() string {
	if f.task == nil {
		return ""
	}
	return f.task.VM
}

// listUUIDs formats the UUIDs of VMs for messages.
func listUUIDs(vms []prism.VM) string {
	list := make([]string, 0, len(vms))
	for _, vm := range vms {
		list = append(list, vm.UUID)
	}
	return strings.Join(list, ", ")
}
