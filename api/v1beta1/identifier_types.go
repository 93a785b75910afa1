package v1beta1

const (
	// CategoryKey is the key of the category that marks the VMs of a cluster. Its value is the name of the Cluster. Users
	// cannot set it on machines.
	CategoryKey = "KubernetesClusterName"

	// ControlPlaneCategoryKey is the key of the category of the control plane machines of a cluster with
	// spec.controlPlaneAntiAffinity Preferred. Its value belongs to one cluster. Users cannot set it on machines.
	ControlPlaneCategoryKey = "KubernetesClusterControlPlane"

	// ControlPlaneCategoryAnnotation means that Prism Central may have the category of the control plane of a NutanixCluster. It
	// contains the UUID of the category, or is empty until the category exists.
	ControlPlaneCategoryAnnotation = "infrastructure.cluster.x-k8s.io/control-plane-category"

	// WorkspaceKeyAnnotation contains the stable key of an object for which Terraform has run. The key is part of the description
	// of its VM. Unlike metadata.uid it survives `clusterctl move`, so that the provider recognises its own VMs.
	WorkspaceKeyAnnotation = "capnt.infrastructure.cluster.x-k8s.io/workspace-key"

	// CreateIntentAnnotation says that a request to create the VM of a NutanixMachine was or is being sent. It contains JSON with
	// the time, the run, the number of the attempt through the v4 API and, once they are known, the UUID of the VM and of the task. It
	// is removed when the result of the request is certain.
	CreateIntentAnnotation = "infrastructure.cluster.x-k8s.io/create-intent"

	// CreateAttemptsAnnotation contains the number of runs that have sent, or were about to send, a create of the VM of a NutanixMachine
	// through the v4 API. The request ID of a create is derived from the workspace key and this number.
	CreateAttemptsAnnotation = "infrastructure.cluster.x-k8s.io/create-attempts"

	// DeletedVMsAnnotation contains the UUIDs of the VMs of a NutanixMachine whose deletion Prism Central has accepted, separated by
	// commas. After a restart of the manager, the deletion of the machine does not wait for a proof of their absence.
	DeletedVMsAnnotation = "infrastructure.cluster.x-k8s.io/deleted-vms"

	// PowerCycleAnnotation contains the UUID of the VM of a NutanixMachine to which a plan is being applied that may switch the VM off and on
	// again. It is written before the apply begins, and removed when the VM is known to be on afterwards. If such a VM is off, the apply was
	// interrupted and the next one switches the VM on.
	PowerCycleAnnotation = "infrastructure.cluster.x-k8s.io/power-cycle"

	// StateSuffixAnnotation contains the suffix under which the Terraform state of an object is stored. It is written together
	// with the workspace key. Objects of v0.1.0 do not have it. They keep the suffix that is derived only from their names.
	StateSuffixAnnotation = "infrastructure.cluster.x-k8s.io/state-suffix"

	// ProviderVersionAnnotation contains the version of the nutanix Terraform provider that the last run for an object used. The
	// object keeps that version until spec.terraform.providerVersion of its NutanixCluster names another one.
	ProviderVersionAnnotation = "infrastructure.cluster.x-k8s.io/provider-version"

	// PrismAPIAnnotation contains the generation of the Prism API that the workspace of an object uses, v3 or v4. It is written together with
	// the workspace key. An object with a workspace key but without this annotation uses v3. Unlike the status it survives `clusterctl move`.
	PrismAPIAnnotation = "infrastructure.cluster.x-k8s.io/prism-api"

	// PrismAPIMigrationAnnotation contains the generation of the Prism API to which an object is being migrated. It is written before the
	// first run of the migration, and removed together with the change of PrismAPIAnnotation after the last one. Meanwhile the Terraform state
	// has the resources of either generation.
	PrismAPIMigrationAnnotation = "infrastructure.cluster.x-k8s.io/prism-api-migration"

	// AppliedWorkspaceAnnotation contains the digest of the workspace that was applied last. After `clusterctl move`, which does not carry
	// the status, it says whether a plan reverts a change that was made outside of Terraform.
	AppliedWorkspaceAnnotation = "infrastructure.cluster.x-k8s.io/applied-workspace"

	// PinnedInputsAnnotation contains the inputs of a NutanixMachine that cannot change once its VM exists. It contains JSON with
	// the UUIDs of Prism Element, subnets, images, storage containers and project, and with GPUs, boot type and failure domain.
	// Unlike the status it survives `clusterctl move`.
	PinnedInputsAnnotation = "infrastructure.cluster.x-k8s.io/pinned-inputs"

	// RetainedWorkspaceLabel marks a Secret that contains an exported workspace. The value of the label is the kind of the object
	// to which the workspace belonged, for example NutanixMachine.
	RetainedWorkspaceLabel = "infrastructure.cluster.x-k8s.io/retained-workspace"

	// ReadableStatesAnnotation contains the type of the backend for which the event StatesReadable of a NutanixCluster was sent.
	ReadableStatesAnnotation = "infrastructure.cluster.x-k8s.io/readable-states"

	// StateRunsAnnotation says which runs may hold the lock of a Terraform state that the manager does not store. It contains JSON
	// with the UID of the object and, for each host, the time of the first run since the state was last known to be unlocked.
	StateRunsAnnotation = "infrastructure.cluster.x-k8s.io/state-runs"

	// AuthorAnnotation contains the name of the user who created a NutanixMachineTemplate, or who created a NutanixCluster or a
	// NutanixMachine or last changed its spec. Admission sets it from the request; clients cannot set, change or remove it. The
	// manager is never an author. After `clusterctl move` the author is the user who moved the object.
	AuthorAnnotation = "infrastructure.cluster.x-k8s.io/author"

	// RevisionAnnotation is the annotation of a NutanixCluster, a NutanixMachine or a NutanixMachineTemplate with the Git revision that the
	// plans of the object name, for example "main@sha1:5e1f0c2". Without it, plans name the revision that Flux last tried to apply. The
	// audit trail names the revision of a NutanixPlanDecision in the same way.
	RevisionAnnotation = "infrastructure.cluster.x-k8s.io/revision"

	// CreatorAnnotation contains the name of the user who created a NutanixMachine. Admission sets it like AuthorAnnotation. The
	// machine has the same spec as its template as long as both annotations contain the same name.
	CreatorAnnotation = "infrastructure.cluster.x-k8s.io/creator"

	// TemplateAuthorAnnotation contains the author of the NutanixMachineTemplate from which a NutanixMachine was cloned. Admission sets it
	// when the machine is created, so that the author stays known if somebody deletes or replaces the template. Clients cannot set, change or
	// remove it.
	TemplateAuthorAnnotation = "infrastructure.cluster.x-k8s.io/template-author"

	// CredentialFinalizer keeps a credential Secret, a trust bundle ConfigMap or the Secret of a state backend until no cluster
	// uses it any more.
	CredentialFinalizer = "infrastructure.cluster.x-k8s.io/nutanixclustercredential"
)

// NutanixIdentifierType is the field of a NutanixResourceIdentifier that identifies the entity.
// +kubebuilder:validation:Enum=uuid;name;""
type NutanixIdentifierType string

const (
	// NutanixIdentifierUUID identifies an entity by its UUID.
	NutanixIdentifierUUID NutanixIdentifierType = "uuid"

	// NutanixIdentifierName identifies an entity by its name, which must be unique in Prism Central.
	NutanixIdentifierName NutanixIdentifierType = "name"
)

// NutanixResourceIdentifier names one entity in Prism Central, either by UUID or by name.
//
// An empty name or UUID means the same as none, and so does an optional identifier with an empty type, because typed
// clients write them for unset fields.
// +kubebuilder:validation:XValidation:rule="(has(self.name) && size(self.name) > 0) == (self.type == 'name')",message="set name if, and only if, type is name"
// +kubebuilder:validation:XValidation:rule="(has(self.uuid) && size(self.uuid) > 0) == (self.type == 'uuid')",message="set uuid if, and only if, type is uuid"
type NutanixResourceIdentifier struct {
	// type is uuid or name: the field that identifies the entity.
	// +required
	Type NutanixIdentifierType `json:"type"`

	// uuid is the UUID of the entity, 36 characters with dashes; case is ignored.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:Pattern=`^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$`
	UUID *string `json:"uuid,omitempty"`

	// name is the name of the entity in Prism Central.
	// +optional
	Name *string `json:"name,omitempty"`
}

// NutanixCategoryIdentifier names one category value in Prism Central.
type NutanixCategoryIdentifier struct {
	// key of the category.
	// +optional
	Key string `json:"key,omitempty"`

	// value of the category.
	// +optional
	Value string `json:"value,omitempty"`
}

// NutanixGPUIdentifierType is the field of a NutanixGPU that identifies the GPU.
// +kubebuilder:validation:Enum=deviceID;name
type NutanixGPUIdentifierType string

const (
	// NutanixGPUIdentifierName identifies a GPU by its name in the inventory of the Prism Element.
	NutanixGPUIdentifierName NutanixGPUIdentifierType = "name"

	// NutanixGPUIdentifierDeviceID identifies a GPU by its PCI device ID.
	NutanixGPUIdentifierDeviceID NutanixGPUIdentifierType = "deviceID"
)

// NutanixGPU requests one GPU.
type NutanixGPU struct {
	// type is deviceID or name: the field that identifies the GPU.
	// +required
	Type NutanixGPUIdentifierType `json:"type"`

	// deviceID is the PCI device ID of the GPU.
	// +optional
	DeviceID *int64 `json:"deviceID,omitempty"`

	// name is the name of the GPU, for example "Tesla T4 compute".
	// +optional
	Name *string `json:"name,omitempty"`
}
