package nutanixmachine

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/internal/schedule"
)

// locate finds the VM of the machine before any later step runs. If Prism Central does not find the VM, searches run in
// the background until the VM is found or its absence is confirmed. The same searches resolve an open create intent.
func (r *Reconciler) locate(ctx context.Context, s *scope) (ctrl.Result, error) {
	s.clearLostFailure()
	if busy := r.busy(s); busy {
		return ctrl.Result{}, nil
	}
	key := r.key(s)
	var suspect string
	r.absences.with(key, func(s *searched) { suspect = s.suspect })
	if s.vmUUID() == "" && intentOf(s.nutanixMachine) == nil && suspect == "" {
		return ctrl.Result{}, nil // no create request was sent
	}
	if s.vmUUID() != "" {
		vm, err := s.readVM(ctx)
		if err == nil && s.seen.known {
			return ctrl.Result{}, nil // it shows only that nothing has changed
		}
		r.recent.forget(key)
		var notFound *prism.NotFoundError
		switch {
		case err == nil && markedForOther(vm.Description, s.nutanixMachine):
			r.absences.reset(key)
			return r.reportForeign(s, vm)
		case err == nil:
			r.absences.reset(key)
			r.recent.put(key, vm, r.Pipeline.Clock.Now())
			return ctrl.Result{}, nil
		case !errors.As(err, &notFound):
			return ctrl.Result{}, nil // later steps report the error
		}
	}
	last := r.lastSearch(key)
	switch {
	case last.due == 0:
		return r.submitSearch(s, r.siblings(ctx, s))
	case last.err != nil:
		return s.retry(infrav1.InputsResolvedCondition, provisioning.Diagnose(last.err), last.due)
	}
	return r.handleSearch(ctx, s, last)
}

// key returns the key of the machine's target.
func (r *Reconciler) key(s *scope) string {
	return lifecycle.Target{Object: s.nutanixMachine, Kind: kind}.Key()
}

// busy reports whether a search or a Terraform run of the machine is queued or under way. During a search, the
// reconcile runs no other step.
func (r *Reconciler) busy(s *scope) bool {
	key := r.key(s)
	running := r.Pipeline.Scheduler.Running(key)
	r.absences.with(key, func(a *searched) {
		a.submitted = a.submitted && running // a search that was removed from the queue never ends
		s.unfinished = s.unfinished || a.submitted
	})
	return running
}

// lastSearch contains the result of the last search for a VM.
type lastSearch struct {
	found
	// err is the error if the search failed.
	err error
	// absence summarizes the last search and the searches before it.
	absence absence
	// due is the delay before the next search. Zero means that the search can start now.
	due time.Duration
}

func (r *Reconciler) lastSearch(key string) lastSearch {
	var last lastSearch
	r.absences.with(key, func(s *searched) {
		if s.at.IsZero() {
			return
		}
		due := max(s.at.Add(s.absence.searchInterval(r.absencePeriod())).Sub(r.Pipeline.Clock.Now()), 0)
		last = lastSearch{found: s.result, err: s.err, absence: s.absence, due: due}
	})
	return last
}

// submitSearch queues a search for the VM of the machine. The end of the search triggers the next reconcile.
func (r *Reconciler) submitSearch(s *scope, siblings []string) (ctrl.Result, error) {
	key, central := r.key(s), s.access.Client
	q := r.query(key, s.nutanixMachine.DeepCopy(), s.machine.Name)
	q.siblings = siblings
	r.absences.with(key, func(a *searched) { a.submitted = true })
	run := schedule.Run{Key: key, Kind: kind, Object: s.nutanixMachine.DeepCopy(), Lane: schedule.Create, Tenant: s.access.Upstream.Digest(),
		Waits: true, Do: func(ctx context.Context) {
			result, err := search(prism.WithoutFailFast(ctx), central, q)
			if ctx.Err() == nil {
				r.absences.record(key, result, err, r.Pipeline.Clock.Now(), r.absencePeriod())
			}
			r.absences.with(key, func(a *searched) { a.submitted = false })
		}}
	switch {
	case !s.nutanixMachine.DeletionTimestamp.IsZero():
		run.Lane = schedule.Delete
	case s.uuid() != "": // the VM exists or is lost, and replacements of lost VMs must not wait for searches
		run.Lane = schedule.Check
	}
	accepted := r.Pipeline.Scheduler.Submit(run)
	s.unfinished = true
	if !accepted {
		r.absences.with(key, func(a *searched) { a.submitted = false })
		return ctrl.Result{RequeueAfter: time.Second}, nil // the manager is stopping
	}
	return ctrl.Result{}, nil
}

// query returns the query for the VM of a machine.
func (r *Reconciler) query(key string, machine *infrav1.NutanixMachine, name string) query {
	q := query{machine: machine, name: name, uuids: names(machine)}
	r.absences.with(key, func(s *searched) {
		if s.suspect != "" {
			q.uuids = append(q.uuids, s.suspect)
		}
	})
	if intent := intentOf(machine); intent != nil {
		q.task, q.isVMUnknown = intent.Task, intent.VM == "" && intent.Task != ""
	}
	if pins := readPins(machine); pins != nil {
		q.prismElement = pins.PrismElement.UUID
	}
	return q
}

// siblings returns the UUIDs of the VMs of the other machines of the cluster.
func (r *Reconciler) siblings(ctx context.Context, s *scope) []string {
	list := &infrav1.NutanixMachineList{}
	err := r.Client.List(ctx, list, client.InNamespace(s.nutanixMachine.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the other machines of the cluster")
	}
	var uuids []string
	for i := range list.Items {
		other := &list.Items[i]
		if _, published := providerid.Parse(other.Spec.ProviderID); published && other.Name != s.nutanixMachine.Name && other.DeletionTimestamp.IsZero() {
			uuids = append(uuids, vmUUIDOf(other))
		}
	}
	return uuids
}

// handleSearch evaluates the result of the last search and ends or continues the reconcile.
func (r *Reconciler) handleSearch(ctx context.Context, s *scope, last lastSearch) (ctrl.Result, error) {
	intent := intentOf(s.nutanixMachine)
	_, published := providerid.Parse(s.nutanixMachine.Spec.ProviderID)
	says, doubt := last.absence.verdict(r.absencePeriod()), last.absence.doubt
	switch {
	case len(last.ours) > 1:
		return s.retry(infrav1.AppliedCondition, duplicates(last.ours), last.due)
	case len(last.ours) == 1 && published:
		r.failOver(s, last.ours[0])
		return ctrl.Result{}, nil
	case intent == nil && !published && (len(last.ours) == 1 || says != searching):
		return ctrl.Result{}, nil // the VM in the state was not found, and the next run continues without it
	case len(last.ours) == 1:
		return ctrl.Result{}, r.settleIntent(ctx, s, last.ours[0].UUID)
	case published && says == confirmed:
		r.reportLost(s)
		s.unfinished = true
		return ctrl.Result{RequeueAfter: last.due}, nil
	case published:
		return s.retry(infrav1.InputsResolvedCondition, r.notFound(s, doubt), last.due)
	case intent != nil && (intent.VM != "" || last.taskVM() != "") && last.taskError != "", says == confirmed:
		return ctrl.Result{}, r.settleIntent(ctx, s, "")
	case says == unproven:
		r.Recorder.Eventf(s.nutanixMachine, nil, corev1.EventTypeWarning, infrav1.VMAbsenceUnprovenReason, "Search",
			"No virtual machine of an earlier create was found for %s, although %s: it counts as not created", unprovenPeriods*r.absencePeriod(), doubt)
		return ctrl.Result{}, r.settleIntent(ctx, s, "")
	}
	return s.retry(infrav1.AppliedCondition, r.unconfirmed(intent, doubt), last.due)
}

// retry sets a condition to False and ends the reconcile until the next search is due.
func (s *scope) retry(conditionType string, problem *provisioning.Problem, due time.Duration) (ctrl.Result, error) {
	s.unfinished = true
	lost := conditions.GetReason(s.nutanixMachine, infrav1.AppliedCondition) == infrav1.VMLostReason && s.nutanixMachine.DeletionTimestamp.IsZero()
	if !lost || problem.Reason != infrav1.VMNotFoundReason { // the condition of a lost VM stays until the VM is found
		provisioning.Set(s.nutanixMachine, conditionType, metav1.ConditionFalse, problem.Reason, problem.Message)
	}
	return ctrl.Result{RequeueAfter: due}, nil
}

// reportForeign stops the reconcile, because the description of the VM identifies another object. Such a VM is neither changed nor
// destroyed.
func (r *Reconciler) reportForeign(s *scope, vm *prism.VM) (ctrl.Result, error) {
	return s.retry(infrav1.AppliedCondition, &provisioning.Problem{Reason: infrav1.VMBelongsToOtherReason, Message: belongsToOther(vm)}, r.HealthInterval)
}

// failOver adopts a VM that came back under another UUID. The next run imports the VM and replaces the old UUID in the
// state.
func (r *Reconciler) failOver(s *scope, vm prism.VM) {
	message := fmt.Sprintf("virtual machine %s came back as %s, which carries the mark of this NutanixMachine: it is imported in its place", s.vmUUID(), vm.UUID)
	s.nutanixMachine.Status.VMUUID = vm.UUID
	provisioning.Set(s.nutanixMachine, infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.VMFailedOverReason, message)
	r.Recorder.Eventf(s.nutanixMachine, nil, corev1.EventTypeNormal, infrav1.VMFailedOverReason, "Search", "%s", message)
	r.Pipeline.Forget(r.unrendered(s))
	r.absences.reset(r.key(s))
	s.unfinished = true // the change of the object triggers the next reconcile
}

// settleIntent adds uuid, the UUID of the VM that was found, to the create intent. If uuid is empty, settleIntent
// removes the intent.
func (r *Reconciler) settleIntent(ctx context.Context, s *scope, uuid string) error {
	before := intentOf(s.nutanixMachine)
	err := r.recorded(s.nutanixMachine).change(ctx, func(machine *infrav1.NutanixMachine) error {
		intent := intentOf(machine)
		if before == nil || intent == nil || *intent != *before {
			return nil // the cache was stale
		}
		if uuid != "" {
			intent.VM = uuid
			return setIntent(machine, intent)
		}
		return setIntent(machine, nil)
	})
	if err != nil {
		return fmt.Errorf("settling the create of NutanixMachine %s: %w", client.ObjectKeyFromObject(s.nutanixMachine), err)
	}
	s.nutanixMachine.Status.VMUUID = ""
	if uuid != "" {
		s.nutanixMachine.Status.VMUUID = uuid
	}
	r.absences.reset(r.key(s))
	s.unfinished = true // the change of the object triggers the next reconcile
	return nil
}

// reportLost sets the condition that the VM is lost, because its absence is confirmed. The condition is removed when
// the VM returns.
func (r *Reconciler) reportLost(s *scope) {
	message := fmt.Sprintf("virtual machine %s disappeared from Prism Central; it is not created again, because its bootstrap data is stale: "+
		"delete the Machine, or let a MachineHealthCheck replace it", s.vmUUID())
	if conditions.GetReason(s.nutanixMachine, infrav1.AppliedCondition) != infrav1.VMLostReason {
		r.Recorder.Eventf(s.nutanixMachine, nil, corev1.EventTypeWarning, infrav1.VMLostReason, "Search", "%s", message)
	}
	provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionTrue, infrav1.InputsResolvedReason, "")
	provisioning.Set(s.nutanixMachine, infrav1.AppliedCondition, metav1.ConditionFalse, infrav1.VMLostReason, message)
}

// clearLostFailure removes the terminal failure VMLost that CAPNT 0.1 wrote.
func (s *scope) clearLostFailure() {
	if status := &s.nutanixMachine.Status; ptr.Deref(status.FailureReason, "") == infrav1.VMLostReason {
		status.FailureReason, status.FailureMessage = nil, nil
	}
}

// absencePeriod returns the minimum time between the first and the last search before the absence of a VM is confirmed.
func (r *Reconciler) absencePeriod() time.Duration {
	if r.AbsencePeriod == 0 {
		return provisioning.DefaultAbsencePeriod
	}
	return r.AbsencePeriod
}

func (r *Reconciler) notFound(s *scope, doubt string) *provisioning.Problem {
	return &provisioning.Problem{Reason: infrav1.VMNotFoundReason, Message: fmt.Sprintf("Prism Central does not find virtual machine %s: %s",
		s.vmUUID(), r.describeAbsence("it counts as lost", doubt))}
}

func (r *Reconciler) unconfirmed(intent *createIntent, doubt string) *provisioning.Problem {
	which := "the create of a virtual machine that only the Terraform state names"
	switch {
	case intent != nil && intent.VM != "":
		which = "the create of virtual machine " + intent.VM
	case intent != nil:
		which = "the create of " + intent.Time.Format(time.RFC3339)
	}
	return &provisioning.Problem{Reason: infrav1.CreateUnconfirmedReason, Message: fmt.Sprintf(
		"it is not known yet what came of %s, and nothing else is created meanwhile: %s", which, r.describeAbsence("it counts as not created", doubt))}
}

// describeAbsence returns a message that says when the consequence of an absence follows, or why it does not follow.
func (r *Reconciler) describeAbsence(consequence, doubt string) string {
	if doubt != "" {
		return "its absence is not proven, because " + doubt
	}
	return fmt.Sprintf("%s when Prism Central has not found it for %s", consequence, r.absencePeriod())
}

func duplicates(ours []prism.VM) *provisioning.Problem {
	return &provisioning.Problem{Reason: infrav1.VMDuplicateReason, Message: fmt.Sprintf(
		"%d virtual machines carry the mark of this NutanixMachine (%s), and nothing is created: delete all but one of them in Prism Central, or delete the Machine, which destroys all of them",
		len(ours), listUUIDs(ours))}
}

func belongsToOther(vm *prism.VM) string {
	return fmt.Sprintf("virtual machine %s (%s) belongs to another object (its description is %q) and is left as it is: delete this Machine to get one of its own",
		vm.Name, vm.UUID, vm.Description)
}
