package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// Event is a Kubernetes event for the object. The condition that reports the same fact has the same reason.
type Event struct {
	// Type is corev1.EventTypeNormal or corev1.EventTypeWarning.
	Type string
	// Action is what was done: Plan, Decide, Apply or Unlock.
	Action  string
	Reason  string
	Message string
}

// eventsOf returns the events for the outcome of a run.
func eventsOf(o outcome) []Event {
	switch o := o.(type) {
	case failed:
		var wait *WaitError
		if errors.As(o.err, &wait) {
			return nil
		}
		action := "Plan"
		if o.applying != nil {
			action = "Apply"
		}
		return []Event{failureEvent(action, o.err)}
	case unread:
		return []Event{appliedEvent(o.record), failureEvent("Apply", o.err)}
	case planned:
		return []Event{{Type: corev1.EventTypeNormal, Action: "Plan", Reason: infrav1.PlannedReason,
			Message: fmt.Sprintf("%s; cause: %s", o.plan.Record.Summary(), o.plan.Record.Cause)}}
	case applied:
		return []Event{appliedEvent(o.record)}
	case destroyed:
		if o.record != nil {
			return []Event{appliedEvent(o.record)}
		}
	case destroyedSome:
		return []Event{appliedEvent(o.record)}
	case superseded:
		return []Event{{Type: corev1.EventTypeNormal, Action: "Apply", Reason: infrav1.PlanSupersededReason, Message: "Planning again: " + o.reason}}
	case unlocked:
		return []Event{unlockedEvent(o.lock)}
	case onHold: // conditions report the hold, and the controller records the event
	case unchanged, retained, resumed, withheld, expired:
	}
	return nil
}

func failureEvent(action string, err error) Event {
	return Event{Type: corev1.EventTypeWarning, Action: action, Reason: FailureReason(err), Message: err.Error()}
}

func appliedEvent(record *plan.Record) Event {
	event := Event{Type: corev1.EventTypeNormal, Action: "Apply", Reason: infrav1.AppliedReason,
		Message: fmt.Sprintf("Applied plan %.12s: %s", record.SHA256, record.Total())}
	switch {
	case record.Destroy:
		event.Reason = infrav1.DestroyedReason
	case record.Counts.Import > 0:
		event.Reason = infrav1.ImportedReason
	}
	return event
}

func unlockedEvent(lock string) Event {
	return Event{Type: corev1.EventTypeNormal, Action: "Unlock", Reason: infrav1.StateLockBrokenReason,
		Message: "Broke the state lock that a dead run of this manager had left: " + lock}
}

// approvalEvents returns an event for each user who has approved a plan that goes on waiting. before is the status of the plan before that.
func approvalEvents(stored plan.Stored, before infrav1.NutanixPlanStatus, verdict plan.Verdict) []Event {
	if stored.Object.Status.Phase != infrav1.PlanPhaseWaiting {
		return nil
	}
	var events []Event
	users := slices.DeleteFunc(slices.Clone(verdict.DecidedBy), func(user string) bool { return slices.Contains(before.DecidedBy, user) })
	known := len(verdict.DecidedBy) - len(users)
	for i, user := range users {
		events = append(events, Event{Type: corev1.EventTypeNormal, Action: "Decide", Reason: infrav1.WaitingForApprovalReason,
			Message: fmt.Sprintf("NutanixPlan %s: approved by %s, %d of %d", stored.Object.Name, user, known+i+1, verdict.Required)})
	}
	return events
}

// decisionEvent returns the event for a plan that begins to wait, or about which somebody has decided, and false if there is none. phase is
// the phase of the plan before that. A plan that the rules approve without a person and without delay needs no event.
func decisionEvent(stored plan.Stored, phase infrav1.PlanPhase) (Event, bool) {
	name, status := stored.Object.Name, stored.Object.Status
	if status.Phase == phase {
		return Event{}, false
	}
	event := Event{Type: corev1.EventTypeNormal, Action: "Decide", Message: fmt.Sprintf("NutanixPlan %s: %s", name, status.Message)}
	waited := phase == infrav1.PlanPhaseWaiting || phase == infrav1.PlanPhaseDenied
	switch {
	case status.Phase == infrav1.PlanPhaseWaiting:
		event.Reason = infrav1.WaitingForApprovalReason
		event.Message = fmt.Sprintf("NutanixPlan %s waits for: %s", name, strings.Join(status.WaitingFor, "; "))
	case status.Phase == infrav1.PlanPhaseDenied:
		event.Type, event.Reason = corev1.EventTypeWarning, infrav1.DeniedReason
	case waited || phase != infrav1.PlanPhaseApproved && len(status.DecidedBy) > 0:
		event.Reason = infrav1.ApprovedReason
	default:
		return Event{}, false
	}
	return event, true
}

// foreignEvent returns the event for a resource that is removed from the state because the infrastructure belongs to another object.
func foreignEvent(err *ForeignError) Event {
	return Event{Type: corev1.EventTypeWarning, Action: "Plan", Reason: infrav1.VMBelongsToOtherReason,
		Message: "Removed virtual machine " + err.ID + " from the state and left it as it is: " + err.Message}
}

// discardedEvent returns the event for a state that an earlier apply could not write and that is now discarded.
func discardedEvent(err error) Event {
	return Event{Type: corev1.EventTypeWarning, Action: "Plan", Reason: infrav1.StateDiscardedReason,
		Message: "Gave up the state of an earlier apply, because another one was written since: " + err.Error()}
}
