package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NutanixPlanPolicySpec is a policy for plans.
type NutanixPlanPolicySpec struct {
	// match limits the policy to some plans. Default: all plans.
	// +optional
	Match PolicyMatch `json:"match,omitempty,omitzero"`

	// rules are evaluated for every plan that match selects.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Rules []PolicyRule `json:"rules"`
}

// PolicyMatch limits a policy to some plans. Several fields limit it together.
type PolicyMatch struct {
	// causes of plans. Default: all causes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Causes []PlanCause `json:"causes,omitempty"`

	// kinds of targets: NutanixMachine, NutanixCluster. Default: all kinds.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:Enum=NutanixMachine;NutanixCluster
	Kinds []string `json:"kinds,omitempty"`

	// clusters are names of Clusters. Default: all clusters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Clusters []string `json:"clusters,omitempty"`
}

// PolicyVerdict is what follows if the expression of a rule is not true.
// +kubebuilder:validation:Enum=Deny;RequireApproval;Warn
type PolicyVerdict string

const (
	// PolicyVerdictDeny denies the plan. No decision can approve it.
	PolicyVerdictDeny PolicyVerdict = "Deny"

	// PolicyVerdictRequireApproval lets the plan wait for a decision.
	PolicyVerdictRequireApproval PolicyVerdict = "RequireApproval"

	// PolicyVerdictWarn adds the message to the plan and changes nothing else.
	PolicyVerdictWarn PolicyVerdict = "Warn"
)

// PolicyRule is one rule of a policy.
// +kubebuilder:validation:XValidation:rule="!has(self.message) || !has(self.messageExpression)",message="set message or messageExpression, not both"
type PolicyRule struct {
	// name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// expression is a CEL expression that must be true for the plan. Otherwise the verdict applies. Its variables are:
	// plan: the fields of the spec of the NutanixPlan, for example plan.disruption, and plan.metadata;
	// machine: the NutanixMachine, or null if the target of the plan is a NutanixCluster;
	// cluster: the NutanixCluster, or null if it does not exist any more;
	// namespaceObject: the Namespace of the target, of which only metadata is visible;
	// machineCount: the number of NutanixMachines of the cluster that are not being deleted;
	// now: the time of the evaluation.
	// All fields of plan are set, except those that are optional because they can be absent: file, hold, before and after. Optional
	// fields of machine and cluster must be tested with has(). The libraries are those of ValidatingAdmissionPolicy. An expression
	// that fails or costs too much denies the plan.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Expression string `json:"expression"`

	// verdict is Deny, RequireApproval or Warn.
	// +required
	Verdict PolicyVerdict `json:"verdict"`

	// message is shown with the verdict. Default: the name of the rule and its expression.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// messageExpression is a CEL expression of type string whose result is shown with the verdict.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	MessageExpression string `json:"messageExpression,omitempty"`
}

// NutanixPlanPolicyStatus is the observed state of a policy.
type NutanixPlanPolicyStatus struct {
	// conditions of the policy. Ready is False if an expression cannot be used; the policy then denies all plans that match
	// selects.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NutanixPlanPolicy says which plans are denied or need an approval. It applies to plans in its namespace. A policy in the namespace of
// the manager applies to all plans.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixplanpolicies,shortName=nplanpolicy,scope=Namespaced
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the policy can be evaluated"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NutanixPlanPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the policy.
	// +required
	Spec NutanixPlanPolicySpec `json:"spec"`

	// status is the observed state of the policy.
	// +optional
	Status NutanixPlanPolicyStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the policy.
func (p *NutanixPlanPolicy) GetConditions() []metav1.Condition { return p.Status.Conditions }

// SetConditions replaces the conditions of the policy.
func (p *NutanixPlanPolicy) SetConditions(conditions []metav1.Condition) {
	p.Status.Conditions = conditions
}

// NutanixPlanPolicyList is a list of NutanixPlanPolicies.
// +kubebuilder:object:root=true
type NutanixPlanPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixPlanPolicy `json:"items"`
}
