package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/text"
)

// messageLength is the maximum length of a message in a status.
const messageLength = 1024

// SetPhase writes a phase of a plan and returns the plan as it was written. verdict is the decision about the plan; it is zero if the
// decision has not changed. If the phase is final, SetPhase first removes the plan file. It returns ErrDeleted if the NutanixPlan does not
// exist any more. If the audit trail already contains a result of the plan, SetPhase writes the phase of that result.
func (s *Store) SetPhase(ctx context.Context, stored Stored, phase infrav1.PlanPhase, message string, verdict Verdict) (_ Stored, err error) {
	defer func() {
		if err == nil || errors.Is(err, ErrDeleted) {
			s.forgetResult(stored.Object.UID)
		}
	}()
	if known, found := s.result(stored.Object.UID); found && phase.Final() {
		phase, message = known.phase, known.message
	}
	object := stored.Object.DeepCopy()
	s.write(object, phase, message, verdict)
	if err := s.auditPhase(ctx, object, phase, object.Status.Message, verdict); err != nil {
		return stored, err
	}
	if phase.Final() && stored.Saved { // before the phase is written, so that no plan in a final phase has a file
		if err := s.removeFile(ctx, object); err != nil {
			return stored, err
		}
	}
	waits := phase != infrav1.PlanPhaseApplying && !phase.Final()
	if phase.Final() || waits && len(object.ManagedFields) > 0 { // an object from a cache never contains its field managers
		if err := s.compact(ctx, stored.Object, object); err != nil {
			return stored, err
		}
	}
	if err := s.update(ctx, stored.Object, object); err != nil {
		return stored, err
	}
	now := s.Clock.Now()
	s.Metrics.observe(stored.Object, object, verdict, stored.applying, now)
	stored.Object = object
	if phase == infrav1.PlanPhaseApplying {
		stored.applying = now
	}
	return stored, nil
}

// withoutManagers is a merge patch that removes the field managers of an object.
var withoutManagers = client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`))

// compact removes the field managers of a plan, which are a third of its size in etcd. Afterwards the API server does not track the managers of
// the plan any more.
func (s *Store) compact(ctx context.Context, before, object *infrav1.NutanixPlan) error {
	latest := &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: object.Name}}
	if err := s.Client.Patch(ctx, latest, withoutManagers); err != nil {
		return statusError(object, err)
	}
	object.ManagedFields = nil
	return adopt(before, latest, object)
}

// adopt sets the resource version of object to that of latest. It returns an error if the plan is not the one that this manager has written.
func adopt(before, latest, object *infrav1.NutanixPlan) error {
	if latest.UID != before.UID || !equality.Semantic.DeepEqual(latest.Status, before.Status) {
		return fmt.Errorf("writing the phase of plan %s: another manager has changed it to %s", client.ObjectKeyFromObject(object), latest.Status.Phase)
	}
	object.ResourceVersion = latest.ResourceVersion
	return nil
}

// update writes the status of a plan. Others may change labels and annotations, but only one manager writes the status of a plan.
func (s *Store) update(ctx context.Context, before, object *infrav1.NutanixPlan) error {
	err := s.Client.Status().Update(ctx, object)
	if apierrors.IsConflict(err) {
		latest := &infrav1.NutanixPlan{}
		if err := s.Reader.Get(ctx, client.ObjectKeyFromObject(object), latest); err != nil {
			return statusError(object, err)
		}
		if err := adopt(before, latest, object); err != nil {
			return err
		}
		err = s.Client.Status().Update(ctx, object)
	}
	return statusError(object, err)
}

func statusError(object *infrav1.NutanixPlan, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("writing the phase of plan %s: %w", client.ObjectKeyFromObject(object), ErrDeleted)
	default:
		return fmt.Errorf("writing the phase of plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
}

func (s *Store) write(object *infrav1.NutanixPlan, phase infrav1.PlanPhase, message string, verdict Verdict) {
	status, now := &object.Status, metav1.NewTime(s.Clock.Now())
	status.Phase, status.Message, status.WaitingFor = phase, text.Shorten(message, messageLength), nil
	status.ExpirationTime = expirationTime(phase, verdict)
	if verdict.Decision != "" {
		status.WaitingFor, status.DecidedBy, status.Decisions = verdict.WaitingFor, verdict.DecidedBy, verdict.Names()
	}
	decided := metav1.Condition{Type: infrav1.DecidedCondition, Status: metav1.ConditionFalse, Reason: infrav1.WaitingForApprovalReason,
		Message: status.Message, ObservedGeneration: object.Generation}
	applied := metav1.Condition{Type: infrav1.AppliedCondition, Status: metav1.ConditionFalse, Reason: string(phase),
		Message: status.Message, ObservedGeneration: object.Generation}
	switch verdict.Decision {
	case Approved, Denied:
		decided.Status, decided.Reason, decided.Message = metav1.ConditionTrue, string(verdict.Decision), text.Shorten(verdict.Reason, messageLength)
		if status.DecidedTime == nil {
			status.DecidedTime = &now
		}
	case Waiting:
		decided.Message = text.Shorten(strings.Join(verdict.WaitingFor, "; "), messageLength)
	}
	if phase == infrav1.PlanPhaseApplied {
		applied.Status = metav1.ConditionTrue
	}
	if phase.Final() {
		status.FinishedTime = &now
	}
	if verdict.Decision != "" {
		meta.SetStatusCondition(&status.Conditions, decided)
	}
	meta.SetStatusCondition(&status.Conditions, applied)
}

// expirationTime returns the time at which a plan in the phase expires, or nil.
func expirationTime(phase infrav1.PlanPhase, verdict Verdict) *metav1.Time {
	if verdict.Expires.IsZero() || phase != infrav1.PlanPhaseWaiting && phase != infrav1.PlanPhaseDenied {
		return nil
	}
	return &metav1.Time{Time: verdict.Expires}
}

// expirationPrecision is how exact the expiration time in a status is. A process that has recorded a plan knows the time of the record more
// exactly than one that reads the creation time of the NutanixPlan.
const expirationPrecision = time.Minute

// sameExpiration reports whether two expiration times are equal, or both nil.
func sameExpiration(a, b *metav1.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Sub(b.Time).Abs() < expirationPrecision
}

// Published reports whether the status of the plan already says what verdict says.
func (s Stored) Published(phase infrav1.PlanPhase, verdict Verdict) bool {
	status := s.Object.Status
	return status.Phase == phase && status.Message == text.Shorten(verdict.Reason, messageLength) &&
		slices.Equal(status.WaitingFor, verdict.WaitingFor) && slices.Equal(status.DecidedBy, verdict.DecidedBy) &&
		sameExpiration(status.ExpirationTime, expirationTime(phase, verdict))
}

func (s *Store) removeFile(ctx context.Context, object *infrav1.NutanixPlan) error {
	if object.Spec.File == nil {
		return nil
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: object.Spec.File.SecretName}}
	if err := s.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the file of plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return nil
}
