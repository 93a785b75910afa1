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

// searchTimeout limits one search. The list of all VMs of a large Prism Central has many pages.
const searchTimeout = 2 * time.Minute

// query is whose VM a search looks for.
type query struct {
	machine *infrav1.NutanixMachine
	// name is the name of the VM.
	name string
	// uuids are the UUIDs under which the machine or its state knows the VM.
	uuids []string
	// task is the task of Prism Central that creates the VM, or empty.
	task string
	// prismElement is the UUID of the Prism Element of the VM, or empty if it is not known.
	prismElement string
	// siblings are the UUIDs of the VMs of the other machines of the cluster. If there are any, Prism Central has to show one of them
	// before the absence of this VM is believed.
	siblings []string
}

// found is what a search found.
type found struct {
	// ours are the VMs of the machine: those with its mark, and those that it names and that carry no mark.
	ours []prism.VM
	// foreign are the VMs that the machine names and that carry the mark of another object.
	foreign []prism.VM
	// sameName are other VMs of the same name.
	sameName []prism.VM
	// taskError is why the task that creates the VM failed. It is empty if the task did not fail.
	taskError string
	// doubt is why it proves nothing that no VM was found. It is empty if it proves that there is none.
	doubt string
}

// names returns the UUIDs under which a machine knows its VM.
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

// search looks for the VM of a machine by its UUIDs and, in the list of all VMs, by its mark and its name. Nothing is cached.
func search(ctx context.Context, central *prism.Client, q query) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	var result found
	for _, uuid := range q.uuids {
		if err := result.read(ctx, central, q.machine, uuid); err != nil {
			return found{}, err
		}
	}
	all, err := central.AllVMs(ctx)
	if err != nil {
		return found{}, fmt.Errorf("searching all virtual machines: %w", err)
	}
	for _, vm := range all.VMs {
		switch {
		case slices.Contains(q.uuids, vm.UUID):
		case marked(vm.Description, q.machine):
			// A list may still show a VM that was deleted.
			if err := result.read(ctx, central, q.machine, vm.UUID); err != nil {
				return found{}, err
			}
		case vm.Name == q.name:
			result.sameName = append(result.sameName, vm)
		}
	}
	if len(result.ours) == 0 {
		err = result.judge(ctx, central, q, all)
	}
	return result, err
}

// read reads the VM of a UUID and adds it to what was found.
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

// judge finds out whether a search that found no VM proves that there is none.
func (f *found) judge(ctx context.Context, central *prism.Client, q query, all prism.VMList) error {
	elements, err := central.AvailablePrismElements(ctx)
	if err != nil {
		return fmt.Errorf("listing Prism Elements: %w", err)
	}
	running, err := f.readTask(ctx, central, q.task)
	if err != nil {
		return err
	}
	switch {
	case running:
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

// readTask reads the task that creates the VM, and reports whether it is running.
func (f *found) readTask(ctx context.Context, central *prism.Client, uuid string) (running bool, err error) {
	if uuid == "" {
		return false, nil
	}
	task, err := central.Task(ctx, uuid)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return false, nil
	case err != nil:
		return false, err
	case task.Failed():
		f.taskError = task.Status + ": " + task.Error
	}
	return task.Running(), nil
}

// listUUIDs lists the UUIDs of VMs.
func listUUIDs(vms []prism.VM) string {
	list := make([]string, 0, len(vms))
	for _, vm := range vms {
		list = append(list, vm.UUID)
	}
	return strings.Join(list, ", ")
}
