package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PlanDisruption is the worst effect of a plan on existing infrastructure.
// +kubebuilder:validation:Enum=None;PowerCycle;Replace;Destroy
type PlanDisruption string

const (
	// PlanDisruptionNone is a plan that disrupts nothing.
	PlanDisruptionNone PlanDisruption = "None"

	// PlanDisruptionPowerCycle is a plan that switches a virtual machine off and on again.
	PlanDisruptionPowerCycle PlanDisruption = "PowerCycle"

	// PlanDisruptionReplace is a plan that destroys a resource and creates it again.
	PlanDisruptionReplace PlanDisruption = "Replace"

	// PlanDisruptionDestroy is a plan that destroys a resource.
	PlanDisruptionDestroy PlanDisruption = "Destroy"
)

// PlanPhase is the phase of a plan. The manager writes a phase before it does what the phase says.
// +kubebuilder:validation:Enum=Recorded;Waiting;Approved;Denied;Applying;Applied;Failed;Superseded;Expired
type PlanPhase string

const (
	// PlanPhaseRecorded is a plan about which nothing has been decided yet.
	PlanPhaseRecorded PlanPhase = "Recorded"

	// PlanPhaseWaiting is a plan that waits for decisions.
	PlanPhaseWaiting PlanPhase = "Waiting"

	// PlanPhaseApproved is a plan that may be applied.
	PlanPhaseApproved PlanPhase = "Approved"

	// PlanPhaseDenied is a plan that a decision or a policy denies.
	PlanPhaseDenied PlanPhase = "Denied"

	// PlanPhaseApplying is a plan whose apply has begun. If the manager ends in this phase, the plan may have been applied in part.
	PlanPhaseApplying PlanPhase = "Applying"

	// PlanPhaseApplied is a plan that was applied. Final.
	PlanPhaseApplied PlanPhase = "Applied"

	// PlanPhaseFailed is a plan whose apply failed. Parts of it may have been applied. Final.
	PlanPhaseFailed PlanPhase = "Failed"

	// PlanPhaseSuperseded is a plan that is not applied, because something it was made from has changed or another plan was made. Final.
	PlanPhaseSuperseded PlanPhase = "Superseded"

	// PlanPhaseExpired is a plan that waited longer than spec.terraform.approval.maxAge of its cluster. Final.
	PlanPhaseExpired PlanPhase = "Expired"
)

// Final reports whether a plan in this phase never changes again.
func (p PlanPhase) Final() bool {
	switch p {
	case PlanPhaseApplied, PlanPhaseFailed, PlanPhaseSuperseded, PlanPhaseExpired:
		return true
	case PlanPhaseRecorded, PlanPhaseWaiting, PlanPhaseApproved, PlanPhaseDenied, PlanPhaseApplying:
	}
	return false
}

// PlanTargetLabel is the label of a NutanixPlan whose value is the workspace key of its target. PlanFileLabel is the label of a Secret that
// contains a plan file.
const (
	PlanTargetLabel = "infrastructure.cluster.x-k8s.io/plan-target"
	PlanFileLabel   = "infrastructure.cluster.x-k8s.io/plan-file"
)

// NutanixPlanSpec describes one Terraform plan, or one edit of a Terraform state by the manager. It contains no secrets. Immutable.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable: the manager records another plan instead"
type NutanixPlanSpec struct {
	// target is the object whose infrastructure the plan changes.
	// +required
	Target PlanTarget `json:"target"`

	// cause is the reason why the plan was made.
	// +required
	Cause PlanCause `json:"cause"`

	// disruption is the worst disruption class of all changes.
	// +required
	Disruption PlanDisruption `json:"disruption"`

	// destroy is true if the plan destroys all infrastructure of the target.
	// +optional
	Destroy bool `json:"destroy,omitempty"`

	// summary counts the resources for the actions of the plan with Terraform's symbols: "+1" create, "~1" update, "-/+1"
	// replace, "-1" delete, "import 1" and "forget 1". Several parts are separated by spaces, for example "import 1 ~1".
	// "other 1" means that the plan changes no resources, for example only outputs. "state" means that the plan only edits the
	// Terraform state.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Summary string `json:"summary,omitempty"`

	// origin says who and what caused the change.
	// +optional
	Origin PlanOrigin `json:"origin,omitempty,omitzero"`

	// changeDigest identifies the change of this target by its content: "sha256:" and 64 hex digits. If the same change is
	// planned again, it has the same digest.
	// +required
	// +kubebuilder:validation:MaxLength=71
	ChangeDigest string `json:"changeDigest"`

	// classDigest identifies the same change of any machine of one owner: "sha256:" and 64 hex digits.
	// +required
	// +kubebuilder:validation:MaxLength=71
	ClassDigest string `json:"classDigest"`

	// workspaceDigest identifies the inputs of the rendered workspace.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	WorkspaceDigest string `json:"workspaceDigest,omitempty"`

	// observedDigest identifies the workspace files that were rendered from the existing infrastructure. It is empty if there
	// are none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ObservedDigest string `json:"observedDigest,omitempty"`

	// infrastructureDigest identifies the infrastructure from which the plan was made. It is empty if the infrastructure cannot be
	// compared.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	InfrastructureDigest string `json:"infrastructureDigest,omitempty"`

	// variables is a keyed fingerprint of the sensitive variables: "hmac-sha256:" and 64 hex digits.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Variables string `json:"variables,omitempty"`

	// file identifies the plan file. It is not set if the plan only edits the Terraform state.
	// +optional
	File *PlanFile `json:"file,omitempty"`

	// state identifies the Terraform state from which the plan was made.
	// +optional
	State PlanState `json:"state,omitempty,omitzero"`

	// counts contains the exact number of resources for each action.
	// +optional
	Counts PlanCounts `json:"counts,omitempty,omitzero"`

	// changes are the changes of resources, outputs and everything else that a plan can contain, the most disruptive first. An
	// output that is created or deleted and only repeats an attribute of a resource is counted in counts.other and not listed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Changes []PlannedChange `json:"changes,omitempty"`

	// omitted counts what changes does not contain because it would be too large.
	// +optional
	Omitted PlanOmitted `json:"omitted,omitempty,omitzero"`

	// hold is the reason why the plan waits although its disruption class is None.
	// +optional
	Hold *PlanHold `json:"hold,omitempty"`

	// signature is an HMAC of the other fields: "hmac-sha256:" and 64 hex digits. The manager ignores a plan without a valid
	// signature.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Signature string `json:"signature"`
}

// PlanTarget identifies the object whose infrastructure a plan changes.
type PlanTarget struct {
	// key is the workspace key of the object. It survives clusterctl move.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Key string `json:"key"`

	// kind is NutanixMachine or NutanixCluster.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// namespace of the object. The plan is in the same namespace, unless the namespace is being deleted. In that case the plan
	// is in the namespace of the manager.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// vmUUID is the UUID of the virtual machine, if there is one.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	VMUUID string `json:"vmUUID,omitempty"`

	// generation of the object for which the plan was made.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// PlanOrigin says who and what caused a change.
type PlanOrigin struct {
	// author is the user who made the change. It is empty if no author is known, for example for a change of a number of
	// replicas.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Author string `json:"author,omitempty"`

	// creator is the user who created or last changed the object, if this is not author, for example a controller of Cluster API. Neither
	// author nor creator can approve the plan.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Creator string `json:"creator,omitempty"`

	// source is the kind and name of the object that author created or changed, for example "NutanixMachineTemplate/prod-md-0-v3".
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Source string `json:"source,omitempty"`

	// owner is the kind and name of the object that manages the machine, for example "MachineDeployment/prod-md-0".
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Owner string `json:"owner,omitempty"`

	// cluster is the name of the Cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Cluster string `json:"cluster,omitempty"`

	// revision is the Git revision that caused the change, for example "main@sha1:5e1f0c2", if it is known.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Revision string `json:"revision,omitempty"`
}

// PlanFile identifies a plan file and the programs that can apply it.
type PlanFile struct {
	// sha256 is the SHA-256 of the plan file: 64 hex digits.
	// +required
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256"`

	// secretName is the name of the Secret that contains the plan file while the plan waits. The Secret is removed when the plan
	// reaches a final phase.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// terraform is the version of Terraform, for example "1.11.4".
	// +required
	// +kubebuilder:validation:MaxLength=64
	Terraform string `json:"terraform"`

	// provider is the version of the nutanix provider, for example "2.4.2".
	// +required
	// +kubebuilder:validation:MaxLength=64
	Provider string `json:"provider"`
}

// PlanState identifies a Terraform state.
type PlanState struct {
	// lineage of the state.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Lineage string `json:"lineage,omitempty"`

	// serial of the state.
	// +optional
	Serial int64 `json:"serial,omitempty"`
}

// PlanHold is the reason why a plan waits although its disruption class is None.
type PlanHold struct {
	// reason is the reason of a condition, for example CategoryValuesAmbiguous.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`

	// message explains the reason.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// NutanixPlanStatus is the progress of a plan. Only the manager writes it.
type NutanixPlanStatus struct {
	// phase of the plan.
	// +optional
	Phase PlanPhase `json:"phase,omitempty"`

	// message explains the phase: what the plan waits for, or why it was superseded or failed.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// waitingFor lists what the plan waits for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	WaitingFor []string `json:"waitingFor,omitempty"`

	// decidedBy lists the names of the users whose decisions counted, sorted. It is empty if the rules alone decided.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=256
	DecidedBy []string `json:"decidedBy,omitempty"`

	// decisions lists the names of the NutanixPlanDecisions that counted, sorted.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	Decisions []string `json:"decisions,omitempty"`

	// decidedTime is the time at which the plan was approved or denied.
	// +optional
	DecidedTime *metav1.Time `json:"decidedTime,omitempty"`

	// expirationTime is the time at which a plan that waits or is denied expires, so that it is planned again.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// finishedTime is the time at which the plan reached its final phase.
	// +optional
	FinishedTime *metav1.Time `json:"finishedTime,omitempty"`

	// conditions of the plan: Decided is True when the plan is approved or denied, Applied when it was applied.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NutanixPlan records one change of the infrastructure of a NutanixMachine or NutanixCluster before it is made, and what became of it.
// Only the manager creates plans. A NutanixPlanDecision approves or denies a plan.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixplans,shortName=nplan,scope=Namespaced
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Kind",type=string,priority=1,JSONPath=`.spec.target.kind`,description="Kind of the target"
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target.name`,description="Object whose infrastructure the plan changes"
// +kubebuilder:printcolumn:name="Cause",type=string,JSONPath=`.spec.cause`,description="Reason why the plan was made"
// +kubebuilder:printcolumn:name="Changes",type=string,JSONPath=`.spec.summary`,description="Number of resources for each action"
// +kubebuilder:printcolumn:name="Disruption",type=string,JSONPath=`.spec.disruption`,description="Worst effect on existing infrastructure"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="Phase of the plan"
// +kubebuilder:printcolumn:name="Decided by",type=string,JSONPath=`.status.decidedBy`,description="Users whose decisions counted"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`,description="What the plan waits for, or why it ended"
type NutanixPlan struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the plan.
	// +required
	Spec NutanixPlanSpec `json:"spec"`

	// status is the progress of the plan.
	// +optional
	// +kubebuilder:default={phase: Recorded}
	Status NutanixPlanStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the plan.
func (p *NutanixPlan) GetConditions() []metav1.Condition { return p.Status.Conditions }

// SetConditions replaces the conditions of the plan.
func (p *NutanixPlan) SetConditions(conditions []metav1.Condition) { p.Status.Conditions = conditions }

// NutanixPlanList is a list of NutanixPlans.
// +kubebuilder:object:root=true
type NutanixPlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixPlan `json:"items"`
}
