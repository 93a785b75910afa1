package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TerraformSpec configures Terraform for a cluster and its machines.
type TerraformSpec struct {
	// providerVersion is the exact version of the nutanix Terraform provider, for example "1.9.5"; version
	// constraints are not accepted. The provider mirror of the manager must have it. Default: the version of the last run
	// for objects with a Terraform state, and the manager's flag --provider-version for others.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ProviderVersion string `json:"providerVersion,omitempty"`

	// api is the generation of the Prism API through which the virtual machines are managed: v3 or v4. v4 needs AOS and pc 7.5
	// and provider 2.4 or later. Default: chosen once, before the first Terraform run for the cluster, by the versions of Prism
	// Central, of the Prism Elements and of the provider. For a cluster with a Terraform state, another generation than that in
	// status.terraform.api asks for a migration, which changes no virtual machine.
	// +optional
	API PrismAPI `json:"api,omitempty"`

	// backend is the backend that stores the Terraform states. Default: Terraform's kubernetes backend, which stores a Secret
	// and a Lease per object in the namespace of the object.
	// +optional
	Backend *TerraformBackend `json:"backend,omitempty"`

	// drift configures how often an applied workspace is planned again to find changes that were made outside of Terraform.
	// +optional
	Drift *TerraformDrift `json:"drift,omitempty"`

	// approval says which plans wait for a decision.
	// +optional
	Approval *TerraformApproval `json:"approval,omitempty"`

	// deletionPolicy says what happens to the virtual machines when the Cluster is deleted. Delete, the default, destroys
	// them. Retain leaves them and the category of the cluster in Prism Central and exports the workspace of each object,
	// with its Terraform state, into a Secret without an owner. The policy is read when the Cluster is deleted. Deleting
	// a single Machine of a Cluster that is not being deleted destroys its virtual machine under both policies.
	// +optional
	DeletionPolicy TerraformDeletionPolicy `json:"deletionPolicy,omitempty"`
}

// PrismAPI is a generation of the Prism API.
// +kubebuilder:validation:Enum=v3;v4
type PrismAPI string

const (
	// PrismAPIV3 is the v3 API, which every supported version of the nutanix provider can use.
	PrismAPIV3 PrismAPI = "v3"

	// PrismAPIV4 is the v4 API.
	PrismAPIV4 PrismAPI = "v4"
)

// TerraformDeletionPolicy says what happens to the virtual machines of a Cluster that is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type TerraformDeletionPolicy string

const (
	// TerraformDeletionPolicyDelete destroys the virtual machines with the Cluster.
	TerraformDeletionPolicyDelete TerraformDeletionPolicy = "Delete"

	// TerraformDeletionPolicyRetain leaves the virtual machines and exports their workspaces.
	TerraformDeletionPolicyRetain TerraformDeletionPolicy = "Retain"
)

// TerraformBackend is a Terraform backend block (https://developer.hashicorp.com/terraform/language/backend).
type TerraformBackend struct {
	// type is the type of the backend, for example "s3".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type"`

	// config contains the arguments of the backend block, without secrets. Values may contain {namespace}, {name} and {suffix}.
	// Each object has its own state, so the argument that names the state must contain {suffix}, which is unique to the object. The
	// kubernetes backend has no arguments.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Config map[string]string `json:"config,omitempty"`

	// configSecretRef names a Secret in the namespace of the cluster whose keys are environment variables that the
	// backend documents, for example AWS_SECRET_ACCESS_KEY or PG_CONN_STR. Secret arguments of the backend belong here. The
	// kubernetes backend reads none.
	// +optional
	ConfigSecretRef *corev1.LocalObjectReference `json:"configSecretRef,omitempty"`
}

// TerraformDrift configures the checks for drift.
type TerraformDrift struct {
	// intervalSeconds is the time between two checks of an object, in seconds; at least 60.
	// +optional
	// +kubebuilder:validation:Minimum=60
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty"`
}

// TerraformStatus is the result of the last Terraform runs for an object.
type TerraformStatus struct {
	// workspaceDigest identifies the inputs of the workspace that was last applied: the version of the algorithm, a colon
	// and a SHA-256 in hex. A digest without a version was written by CAPNT 0.1.
	// +optional
	WorkspaceDigest string `json:"workspaceDigest,omitempty"`

	// lineage of the Terraform state.
	// +optional
	Lineage string `json:"lineage,omitempty"`

	// serial of the Terraform state.
	// +optional
	Serial int64 `json:"serial,omitempty"`

	// terraformVersion is the version of the binary that ran last, for example "1.11.4".
	// +optional
	TerraformVersion string `json:"terraformVersion,omitempty"`

	// providerVersion is the version of the nutanix provider that ran last.
	// +optional
	ProviderVersion string `json:"providerVersion,omitempty"`

	// api is the generation of the Prism API that the workspace uses.
	// +optional
	API PrismAPI `json:"api,omitempty"`

	// lastAppliedTime is the time of the last apply.
	// +optional
	LastAppliedTime *metav1.Time `json:"lastAppliedTime,omitempty"`

	// lastCheckTime is the time of the last plan or apply that succeeded.
	// +optional
	LastCheckTime *metav1.Time `json:"lastCheckTime,omitempty"`

	// infrastructureDigest identifies the infrastructure for which the last plan found no changes. As long as it stays the
	// same, the object is planned once a day.
	// +optional
	InfrastructureDigest string `json:"infrastructureDigest,omitempty"`

	// lastPlan summarizes the last plan that changes something.
	// +optional
	LastPlan *PlanSummary `json:"lastPlan,omitempty"`
}

// PlanCause is the reason why a plan was made.
// +kubebuilder:validation:Enum=Create;Update;Drift;Import;Delete;Migrate;Forget;Untaint
type PlanCause string

const (
	// PlanCauseCreate is the first plan of an object.
	PlanCauseCreate PlanCause = "Create"

	// PlanCauseUpdate is a plan for a changed spec.
	PlanCauseUpdate PlanCause = "Update"

	// PlanCauseDrift is a plan for an unchanged spec after the infrastructure changed.
	PlanCauseDrift PlanCause = "Drift"

	// PlanCauseImport is a plan that imports an existing VM into the state.
	PlanCauseImport PlanCause = "Import"

	// PlanCauseDelete is the plan of an object that is being deleted.
	PlanCauseDelete PlanCause = "Delete"

	// PlanCauseMigrate is a plan that moves the infrastructure of an object to the workspace with the other Prism API. It changes nothing
	// in Prism Central.
	PlanCauseMigrate PlanCause = "Migrate"
	// PlanCauseForget is an edit of the state that removes a resource that does not exist or belongs to another object.
	PlanCauseForget PlanCause = "Forget"

	// PlanCauseUntaint is an edit of the state that removes the taint of a healthy resource.
	PlanCauseUntaint PlanCause = "Untaint"
)

// PlanSummary summarizes a plan: counts, addresses and actions, never values.
type PlanSummary struct {
	// cause is the reason why the plan was made.
	// +required
	Cause PlanCause `json:"cause"`

	// create is the number of resources to create.
	// +optional
	Create int32 `json:"create,omitempty"`

	// update is the number of resources to change in place.
	// +optional
	Update int32 `json:"update,omitempty"`

	// replace is the number of resources to replace.
	// +optional
	Replace int32 `json:"replace,omitempty"`

	// delete is the number of resources to destroy.
	// +optional
	Delete int32 `json:"delete,omitempty"`

	// import is the number of resources to import.
	// +optional
	Import int32 `json:"import,omitempty"`

	// changes lists the resources that the plan changes, at most 32 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Changes []PlanChange `json:"changes,omitempty"`

	// time is the time of the plan.
	// +required
	Time metav1.Time `json:"time"`
}

// PlanChange is the change of one resource in a plan.
type PlanChange struct {
	// address of the resource in the workspace, for example "module.machine.nutanix_virtual_machine.this".
	// +required
	Address string `json:"address"`

	// actions on the resource: create, update, replace, delete, import or forget; more than one only if an imported
	// resource is changed, too.
	// +optional
	// +listType=atomic
	Actions []string `json:"actions,omitempty"`
}
