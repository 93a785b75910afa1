package nutanixmachine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/cluster-api/util/annotations"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

// markPrefix starts the description of every virtual machine of ours. What follows is the key, which alone decides, and
// then namespace and name for people.
const markPrefix = "Managed by CAPNT, key "

// mark is the description by which a virtual machine is recognised as the one of this object.
func mark(machine *infrav1.NutanixMachine) string {
	return fmt.Sprintf("%s%s, NutanixMachine %s/%s", markPrefix, provisioning.WorkspaceKey(machine), machine.Namespace, machine.Name)
}

// marked reports whether a description carries the key of this object.
func marked(description string, machine *infrav1.NutanixMachine) bool {
	key := keyIn(description)
	return key != "" && key == provisioning.WorkspaceKey(machine)
}

// keyIn is the key of the object whose mark a description is, or empty.
func keyIn(description string) string {
	rest, ok := strings.CutPrefix(description, markPrefix)
	if !ok {
		return ""
	}
	key, _, _ := strings.Cut(rest, ",")
	return key
}

// identity answers, during a run, which virtual machine an object is.
type identity struct {
	client  *prism.Client
	machine *infrav1.NutanixMachine
	// name is the name of the virtual machine.
	name string
	// lasting notes that a virtual machine is missing, and reports whether it was so a while ago.
	lasting func(uuid string) bool
}

// identify implements lifecycle.Hooks.Identify. What the state knows has to exist. What the object names, because its
// creation was journalled or because it was taken over, is imported. Otherwise a virtual machine of that name is either
// ours by its mark, or in the way.
func (i identity) identify(ctx context.Context, known string) (string, error) {
	published, _ := providerid.Parse(i.machine.Spec.ProviderID)
	if known != "" {
		return i.requireKnown(ctx, known, published)
	}
	for _, named := range []string{published, i.machine.Status.VMUUID} {
		if named == "" {
			continue
		}
		vm, err := i.client.VM(ctx, named)
		var notFound *prism.NotFoundError
		switch {
		case err == nil && named == published:
			return named, i.requireUnclaimed(*vm)
		case err == nil:
			return named, i.requireUsable(*vm)
		case !errors.As(err, &notFound):
			return "", err
		case named == published:
			return "", i.lost(named)
		}
	}
	return i.findByName(ctx)
}

// requireKnown looks whether what the state knows is still there. A machine that was never published may be made again,
// unless there is another one of its name.
func (i identity) requireKnown(ctx context.Context, known, published string) (string, error) {
	_, err := i.client.VM(ctx, known)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound) && published == "":
		return i.findByName(ctx)
	case errors.As(err, &notFound):
		return "", i.lost(known)
	}
	return "", err
}

// lost is the error for a published machine that is missing. Only a second look, some time later, makes that final; to a
// deletion the first says enough.
func (i identity) lost(uuid string) error {
	if !i.machine.DeletionTimestamp.IsZero() || i.lasting(uuid) {
		return &lifecycle.LostError{ID: uuid}
	}
	return fmt.Errorf("finding virtual machine %s: Prism Central has none, and is asked again before the machine counts as lost", uuid)
}

func (i identity) findByName(ctx context.Context) (string, error) {
	machines, err := i.client.VMsByName(ctx, i.name)
	if err != nil {
		return "", err
	}
	var ours []prism.VM
	for _, machine := range machines {
		if marked(machine.Description, i.machine) {
			ours = append(ours, machine)
		}
	}
	switch {
	case len(machines) == 0:
		return "", nil
	case len(ours) == 0 && !i.machine.DeletionTimestamp.IsZero():
		return "", nil
	case len(ours) > 1 && i.machine.DeletionTimestamp.IsZero():
		return "", &lifecycle.ConflictError{Reason: infrav1.VMDuplicateReason, Message: fmt.Sprintf(
			"%d virtual machines named %s carry the mark of this NutanixMachine (%s): delete all but one of them in Prism Central", len(ours), i.name, uuids(ours))}
	case len(ours) == 0:
		return "", &lifecycle.ConflictError{Message: fmt.Sprintf(
			"a virtual machine named %s that is not ours exists in Prism Central (%s): rename or delete it, or delete the Machine to get one of another name", i.name, uuids(machines))}
	}
	return ours[0].UUID, i.requireUsable(ours[0])
}

// requireUnclaimed refuses to take over what carries the mark of another object, which would lose it.
func (i identity) requireUnclaimed(vm prism.VM) error {
	if keyIn(vm.Description) == "" || marked(vm.Description, i.machine) {
		return nil
	}
	return &lifecycle.ForeignError{ID: vm.UUID, Message: fmt.Sprintf(
		"virtual machine %s (%s), which spec.providerID names, belongs to another object (its description is %q): delete this Machine to get one of its own", vm.Name, vm.UUID, vm.Description)}
}

// requireUsable keeps a half-made machine of ours out of the state of a living object, which could only replace it.
func (i identity) requireUsable(vm prism.VM) error {
	switch {
	case !i.machine.DeletionTimestamp.IsZero() || vm.State == "COMPLETE":
		return nil
	case vm.State == "ERROR":
		return &lifecycle.ConflictError{Message: fmt.Sprintf(
			"virtual machine %s (%s) of this NutanixMachine is in state ERROR, its creation failed in Prism Central: see its task there, then delete it there, or delete the Machine to have it replaced", vm.Name, vm.UUID)}
	default:
		return fmt.Errorf("virtual machine %s (%s) of this NutanixMachine is in state %s: waiting for Prism Central to finish it", vm.Name, vm.UUID, vm.State)
	}
}

// healthy implements lifecycle.Hooks.Healthy. A machine that is gone is not healthy; of one that Prism Central has not
// finished it cannot be said yet.
func (i identity) healthy(ctx context.Context, id string) (bool, error) {
	vm, err := i.client.VM(ctx, id)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return false, nil
	case err != nil:
		return false, err
	case vm.State != "COMPLETE" && vm.State != "ERROR":
		return false, i.requireUsable(*vm)
	}
	return vm.State == "COMPLETE" && marked(vm.Description, i.machine), nil
}

// vmRecorder implements gateway.CreateRecorder. It writes the UUID of an accepted create to status.vmUUID, so that the virtual
// machine is still known when everything dies before Terraform writes its state.
type vmRecorder struct {
	client  client.Client
	machine *infrav1.NutanixMachine
	// pins is the value of the annotation with the inputs that the virtual machine is created from.
	pins string
}

// Sending pins the inputs that the virtual machine is created from.
func (r vmRecorder) Sending(ctx context.Context, _ gateway.Create) error {
	patched := r.machine.DeepCopy()
	annotations.AddAnnotations(patched, map[string]string{infrav1.PinnedInputsAnnotation: r.pins})
	if err := r.client.Patch(ctx, patched, client.MergeFrom(r.machine)); err != nil {
		return fmt.Errorf("pinning the inputs of NutanixMachine %s: %w", client.ObjectKeyFromObject(r.machine), err)
	}
	return nil
}

// Accepted writes the UUID.
func (r vmRecorder) Accepted(ctx context.Context, created gateway.Created) error {
	patched := r.machine.DeepCopy()
	patched.Status.VMUUID = created.UUID
	if err := r.client.Status().Patch(ctx, patched, client.MergeFrom(r.machine)); err != nil {
		return fmt.Errorf("recording virtual machine %s in NutanixMachine %s: %w", created.UUID, client.ObjectKeyFromObject(r.machine), err)
	}
	return nil
}

// Refused has nothing to remove.
func (r vmRecorder) Refused(context.Context, gateway.Create) error { return nil }

// checkJournal forgets a journalled virtual machine that Prism Central does not have any more: its creation failed, or it was
// deleted before anybody heard of it. The object is as good as new then, and its spec may be corrected. The reconcile ends
// there: no run that journals another machine may start before that is written.
func (r *Reconciler) checkJournal(ctx context.Context, s *scope) (ctrl.Result, error) {
	journalled := s.nutanixMachine.Status.VMUUID
	if journalled == "" || s.uuid() != "" || r.Pipeline.Pool.Running(r.unrendered(s).Key()) {
		return ctrl.Result{}, nil
	}
	_, err := s.access.Client.VM(ctx, journalled)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		s.nutanixMachine.Status.VMUUID = ""
		s.unfinished = true // the change of the object calls again
	case err != nil:
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err))
	}
	return ctrl.Result{}, nil
}

func uuids(machines []prism.VM) string {
	list := make([]string, 0, len(machines))
	for _, machine := range machines {
		list = append(list, machine.UUID)
	}
	return strings.Join(list, ", ")
}
