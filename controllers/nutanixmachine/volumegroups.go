package nutanixmachine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

// detachments stores updates that detach volume groups, by the UUID of the VM. The entries are lost on a restart.
type detachments struct{ pending sync.Map }

// detachment is one update that detaches volume groups.
type detachment struct {
	task string
	// groups names the volume groups in messages.
	groups string
}

// detacher detaches the volume groups of a VM before the VM is destroyed, because Prism Central does not delete a VM
// with attached volume groups. When a single Machine is deleted, Cluster API drains the node and waits until the
// volumes are detached. When the whole Cluster is deleted, Cluster API does neither.
type detacher struct {
	client  *prism.Client
	machine *infrav1.NutanixMachine
	memory  *detachments
	event   func(lifecycle.Event)
}

// detacher returns the detacher for a machine. Runs call the detacher outside of the reconcile.
func (r *Reconciler) detacher(s *scope) detacher {
	machine := s.nutanixMachine.DeepCopy()
	return detacher{client: s.access.Client, machine: machine, memory: &r.detachments, event: func(event lifecycle.Event) { r.Event(machine, event) }}
}

// detach implements lifecycle.Hooks.BeforeDestroy. It sends at most one update. The update is asynchronous, so detach
// returns a *lifecycle.WaitError until a later call finds no attached volume group.
func (d detacher) detach(ctx context.Context, vmUUID string) error {
	attachments, err := d.client.Attachments(ctx, vmUUID)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		d.memory.pending.Delete(vmUUID)
		return fmt.Errorf("reading the volume groups of virtual machine %s: %w", vmUUID, err)
	case err != nil:
		return waitFor(provisioning.Diagnose(fmt.Errorf("reading the volume groups of virtual machine %s: %w", vmUUID, err)))
	case markedForOther(attachments.Description, d.machine):
		return &lifecycle.ForeignError{ID: vmUUID, Message: fmt.Sprintf("its description is %q", attachments.Description)}
	case len(attachments.Groups) == 0:
		d.report(vmUUID)
		return nil
	}
	return d.update(ctx, vmUUID, attachments)
}

// report records an event for the volume groups that an update of this process has detached.
func (d detacher) report(vmUUID string) {
	pending, ok := d.memory.pending.LoadAndDelete(vmUUID)
	if !ok {
		return
	}
	d.event(lifecycle.Event{Type: corev1.EventTypeNormal, Action: "Detach", Reason: infrav1.VolumeGroupsDetachedReason,
		Message: fmt.Sprintf("Detached volume groups from virtual machine %s before its destruction: %s", vmUUID, pending.(detachment).groups)}) //nolint:forcetypeassert // stored below
}

// update sends the update that detaches the volume groups, unless an earlier update is still under way.
func (d detacher) update(ctx context.Context, vmUUID string, attachments *prism.Attachments) error {
	names := make([]string, 0, len(attachments.Groups))
	for _, group := range attachments.Groups {
		names = append(names, group.String())
	}
	groups := strings.Join(names, ", ")
	running, failure := d.progress(ctx, vmUUID)
	if running {
		return attached(vmUUID, groups, "Prism Central is detaching them")
	}
	task, err := d.client.DetachVolumeGroups(ctx, attachments)
	if err != nil {
		d.memory.pending.Delete(vmUUID)
		return d.refused(vmUUID, groups, err.Error())
	}
	d.memory.pending.Store(vmUUID, detachment{task, groups})
	if failure != "" {
		return d.refused(vmUUID, groups, failure)
	}
	return attached(vmUUID, groups, "Prism Central is detaching them")
}

// progress reports whether the last update of a VM is under way. If the update failed, progress returns the error.
func (d detacher) progress(ctx context.Context, vmUUID string) (running bool, failure string) {
	pending, ok := d.memory.pending.Load(vmUUID)
	if !ok {
		return false, ""
	}
	task, err := d.client.Task(ctx, pending.(detachment).task) //nolint:forcetypeassert // stored above
	switch {
	case err != nil:
		return prism.Retryable(err), ""
	case task.Running():
		return true, ""
	case task.Failed():
		return false, task.Error
	}
	return false, ""
}

// refused records an event and returns the error for volume groups that Prism Central could not detach.
func (d detacher) refused(vmUUID, groups, cause string) error {
	wait := attached(vmUUID, groups, "Prism Central did not detach them and is asked again ("+cause+
		"): detach them in Prism Central if this stays")
	d.event(lifecycle.Event{Type: corev1.EventTypeWarning, Action: "Detach", Reason: wait.Reason, Message: wait.Message})
	return wait
}

// attached returns the error that makes a destroy wait for volume groups.
func attached(vmUUID, groups, state string) *lifecycle.WaitError {
	return &lifecycle.WaitError{Reason: infrav1.VolumeGroupsAttachedReason, Message: fmt.Sprintf(
		"virtual machine %s cannot be destroyed while volume groups are attached to it: %s; %s", vmUUID, groups, state)}
}

func waitFor(problem *provisioning.Problem) *lifecycle.WaitError {
	return &lifecycle.WaitError{Reason: problem.Reason, Message: problem.Message}
}
