package nutanixmachine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/cluster-api/util/annotations"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

// identifyForDestroy returns the UUID of the VM that has to be destroyed next, or an empty string if the state already
// contains the VM. If the machine has several VMs, they are destroyed one after the other. A VM that Prism Central does
// not find counts as destroyed only if Prism Central has accepted its deletion or its absence is confirmed.
func (i identity) identifyForDestroy(ctx context.Context, machine *infrav1.NutanixMachine, known string) (string, error) {
	r := i.reconciler
	q := r.query(i.key, machine, i.name)
	if known != "" && !slices.Contains(q.uuids, known) {
		q.uuids = append(q.uuids, known)
	}
	result, err := search(ctx, i.central, q)
	says := r.absences.record(i.key, result, err, r.Pipeline.Clock.Now(), r.absencePeriod())
	if err != nil {
		return "", err
	}
	isKnown := func(vm prism.VM) bool { return known != "" && vm.UUID == known }
	foreign := slices.IndexFunc(result.foreign, isKnown)
	switch {
	case slices.ContainsFunc(result.ours, isKnown):
		return "", nil
	case foreign >= 0:
		return "", &lifecycle.ForeignError{ID: known, Message: belongsToOther(&result.foreign[foreign])}
	case len(result.ours) > 0:
		return result.ours[0].UUID, i.noteCreated(ctx, machine, result.ours)
	}
	missing := i.missing(machine, q.uuids, result)
	switch {
	case len(missing) == 0 && known == "":
		return "", nil // no create request was sent, or its VM was destroyed
	case len(missing) == 0 || says == confirmed:
		return "", &lifecycle.AbsentError{ID: known}
	case says == unproven:
		r.Recorder.Eventf(machine, nil, corev1.EventTypeWarning, infrav1.VMAbsenceUnprovenReason, "Search",
			"Prism Central did not find %s for %s, although its absence is not proven, because %s: the deletion ends",
			strings.Join(missing, ", "), unprovenPeriods*r.absencePeriod(), result.doubt)
		return "", &lifecycle.AbsentError{ID: known}
	}
	r.absences.with(i.key, func(s *searched) { s.awaited = missing })
	problem := r.stillMissing(missing, result.doubt)
	return "", &lifecycle.WaitError{Reason: problem.Reason, Message: problem.Message}
}

// missing describes the VMs that the search did not find but that must be found or be confirmed absent.
func (i identity) missing(machine *infrav1.NutanixMachine, uuids []string, result found) []string {
	var missing []string
	intent := intentOf(machine)
	if intent != nil && intent.VM == "" && (result.taskVM() == "" || result.taskError == "") {
		missing = append(missing, openCreate)
	}
	i.reconciler.absences.with(i.key, func(s *searched) {
		accepted := deletedVMs(machine)
		for _, uuid := range uuids {
			foreign := slices.ContainsFunc(result.foreign, func(vm prism.VM) bool { return vm.UUID == uuid })
			failed := intent != nil && intent.VM == uuid && result.taskError != ""
			if !foreign && !failed && !s.deleted[uuid] && !slices.Contains(accepted, uuid) {
				missing = append(missing, "virtual machine "+uuid)
			}
		}
	})
	return missing
}

// openCreate describes a VM with an unknown UUID, for which a create request was sent.
const openCreate = "what an earlier create made"

// noteCreated adds the UUID of the VM that was found to the create intent if the intent has no UUID.
func (i identity) noteCreated(ctx context.Context, machine *infrav1.NutanixMachine, ours []prism.VM) error {
	if intent := intentOf(machine); intent == nil || intent.VM != "" {
		return nil
	}
	return i.machine.change(ctx, func(machine *infrav1.NutanixMachine) error {
		intent := intentOf(machine)
		if intent == nil || intent.VM != "" {
			return nil
		}
		intent.VM = ours[0].UUID
		return setIntent(machine, intent)
	})
}

// recordTimeout limits how long the provider waits for the response to a deletion while the deletion is recorded.
const recordTimeout = 10 * time.Second

// deleted implements lifecycle.Hooks.Deleted. It also records the deletion in an annotation, for a manager that is restarted before the
// state is stored.
func (i identity) deleted(uuid string) {
	uuid = strings.ToLower(uuid)
	i.reconciler.absences.with(i.key, func(s *searched) { s.deleted[uuid] = true })
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	err := i.machine.change(ctx, func(machine *infrav1.NutanixMachine) error {
		if accepted := deletedVMs(machine); !slices.Contains(accepted, uuid) {
			annotations.AddAnnotations(machine, map[string]string{infrav1.DeletedVMsAnnotation: strings.Join(append(accepted, uuid), ",")})
		}
		return nil
	})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to record an accepted deletion: after a restart, the absence of the VM has to be proven", "NutanixMachine", i.machine.key, "vm", uuid)
	}
}

// deletedVMs returns the UUIDs of the VMs whose deletion Prism Central has accepted according to the annotation.
func deletedVMs(machine *infrav1.NutanixMachine) []string {
	return strings.FieldsFunc(machine.Annotations[infrav1.DeletedVMsAnnotation], func(r rune) bool { return r == ',' })
}

// remaining implements lifecycle.Hooks.Remaining. It reports whether the searches found VMs whose deletion Prism
// Central has not accepted yet.
func (i identity) remaining() bool {
	remains := false
	i.reconciler.absences.with(i.key, func(s *searched) {
		remains = slices.ContainsFunc(s.result.ours, func(vm prism.VM) bool { return !s.deleted[vm.UUID] })
	})
	return remains
}

// awaitAbsence makes a deletion wait if a run did not find all VMs of the machine. The deletion continues when the
// absence of these VMs is confirmed. The searches do not start Terraform.
func (r *Reconciler) awaitAbsence(s *scope) (wait bool, result ctrl.Result, err error) {
	if r.busy(s) {
		return s.unfinished, ctrl.Result{}, nil
	}
	var awaited []string
	r.absences.with(r.key(s), func(a *searched) { awaited = a.awaited })
	if len(awaited) == 0 {
		return false, ctrl.Result{}, nil
	}
	last := r.lastSearch(r.key(s))
	switch {
	case last.due == 0:
		result, err = r.submitSearch(s, nil)
	case last.err != nil:
		result, err = s.retry(infrav1.AppliedCondition, provisioning.Diagnose(last.err), last.due)
	case len(last.ours) > 0 || last.absence.verdict(r.absencePeriod()) != searching:
		return false, ctrl.Result{}, nil
	default:
		result, err = s.retry(infrav1.AppliedCondition, r.stillMissing(awaited, last.absence.doubt), last.due)
	}
	return true, result, err
}

// stillMissing returns the problem that a deletion reports while it waits for VMs that were not found.
func (r *Reconciler) stillMissing(missing []string, doubt string) *provisioning.Problem {
	reason := infrav1.VMNotFoundReason
	if slices.Contains(missing, openCreate) {
		reason = infrav1.CreateUnconfirmedReason
	}
	return &provisioning.Problem{Reason: reason, Message: fmt.Sprintf("Prism Central does not find %s: %s",
		strings.Join(missing, ", "), r.describeAbsence("the deletion ends", doubt))}
}
