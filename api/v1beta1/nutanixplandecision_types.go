package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NutanixPlanDecisionFinalizer keeps a NutanixPlanDecision until the audit trail contains it.
const NutanixPlanDecisionFinalizer = "infrastructure.cluster.x-k8s.io/nutanixplandecision"

// PlanVerdict is the verdict of a decision.
// +kubebuilder:validation:Enum=Approved;Denied
type PlanVerdict string

const (
	// PlanVerdictApproved approves a plan.
	PlanVerdictApproved PlanVerdict = "Approved"

	// PlanVerdictDenied denies a plan. It takes precedence over approvals.
	PlanVerdictDenied PlanVerdict = "Denied"
)

// NutanixPlanDecisionSpec is a decision about plans. It applies to every plan in its namespace with one of its digests, also to plans
// that are made later. Immutable: delete the decision to revoke it.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable: delete the decision and create another one"
// +kubebuilder:validation:XValidation:rule="size(self.changes) + size(self.classes) > 0",message="changes and classes are empty: name at least one digest of a NutanixPlan"
type NutanixPlanDecisionSpec struct {
	// verdict is Approved or Denied.
	// +required
	Verdict PlanVerdict `json:"verdict"`

	// changes are change digests of plans (spec.changeDigest of a NutanixPlan).
	// +optional
	// +default=[]
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:Pattern=`^sha256:[0-9a-f]{64}$`
	Changes []string `json:"changes,omitempty"`

	// classes are class digests of plans (spec.classDigest of a NutanixPlan).
	// +optional
	// +default=[]
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Pattern=`^sha256:[0-9a-f]{64}$`
	Classes []string `json:"classes,omitempty"`

	// reason explains the decision, for example with the number of a change request.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// expiresAt is the time after which the decision does not apply any more. Default: 24 hours after its creation.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// maxUses is the number of targets for which each digest of the decision may be used. Default: 1 for a change digest,
	// unlimited for a class digest of a plan with disruption None. A decision for the class of a more disruptive plan must set it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxUses *int32 `json:"maxUses,omitempty"`

	// decidedBy is the user who created the decision. Admission sets it from the request and ignores what the request contains.
	// +optional
	DecidedBy *PlanDecider `json:"decidedBy,omitempty"`
}

// PlanDecider is the user who made a decision.
type PlanDecider struct {
	// username of the user.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Username string `json:"username"`

	// groups of the user.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	Groups []string `json:"groups,omitempty"`

	// at is the time of the decision.
	// +required
	At metav1.Time `json:"at"`
}

// PlanDecisionUse is one use of a decision.
type PlanDecisionUse struct {
	// target is the workspace key of the object whose plan was decided.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Target string `json:"target"`

	// digest is the digest in changes or classes of the decision that the plan has.
	// +required
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest"`

	// plan is the namespace and the name of the plan that was applied first.
	// +required
	// +kubebuilder:validation:MaxLength=320
	Plan string `json:"plan"`

	// at is the time of the use.
	// +required
	At metav1.Time `json:"at"`

	// appliedTime is the time at which the plan was applied. Until then, another plan of the same target with the same digest
	// belongs to this use. Afterwards, it needs another use.
	// +optional
	AppliedTime *metav1.Time `json:"appliedTime,omitempty"`
}

// NutanixPlanDecisionStatus contains the uses of a decision. Only the manager writes it.
type NutanixPlanDecisionStatus struct {
	// uses are the plans that were applied because of this decision.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Uses []PlanDecisionUse `json:"uses,omitempty"`
}

// NutanixPlanDecision approves or denies plans by the digests of their content. Creating one needs the permission for the verb approve on
// nutanixplans in the namespace.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixplandecisions,shortName=nplandecision,scope=Namespaced
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.spec.verdict`,description="Approved or Denied"
// +kubebuilder:printcolumn:name="Decided by",type=string,JSONPath=`.spec.decidedBy.username`,description="User who made the decision"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`,description="Time after which the decision does not apply any more"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,description="Reason of the decision"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NutanixPlanDecision struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the decision.
	// +required
	Spec NutanixPlanDecisionSpec `json:"spec"`

	// status contains the uses of the decision.
	// +optional
	Status NutanixPlanDecisionStatus `json:"status,omitempty,omitzero"`
}

// NutanixPlanDecisionList is a list of NutanixPlanDecisions.
// +kubebuilder:object:root=true
type NutanixPlanDecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixPlanDecision `json:"items"`
}
