package nutanixfailuredomain

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/text"
)

// Actions of events.
const (
	actionValidate = "Validate"
	actionDelete   = "Delete"
)

// report records an event for each condition that changed in this reconcile.
func (r *Reconciler) report(before, after *infrav1.NutanixFailureDomain) {
	if after.DeletionTimestamp.IsZero() {
		r.reportCondition(before, after, infrav1.FailureDomainValidCondition, actionValidate)
		return
	}
	if conditions.IsFalse(after, infrav1.SafeForDeletionCondition) {
		r.reportCondition(before, after, infrav1.SafeForDeletionCondition, actionDelete)
	}
}

func (r *Reconciler) reportCondition(before, after *infrav1.NutanixFailureDomain, conditionType, action string) {
	was, is := conditions.Get(before, conditionType), conditions.Get(after, conditionType)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	eventType := corev1.EventTypeWarning
	if is.Status == metav1.ConditionTrue {
		eventType = corev1.EventTypeNormal
	}
	note := is.Message
	if note == "" {
		note = "Prism Central has what the failure domain names"
	}
	r.Recorder.Eventf(after, nil, eventType, is.Reason, action, "%s", text.Shorten(note, provisioning.NoteLength))
}
