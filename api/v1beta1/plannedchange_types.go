package v1beta1

// PlanCounts contains the number of resources for each action.
type PlanCounts struct {
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

	// forget is the number of resources to remove from the state without destroying them.
	// +optional
	Forget int32 `json:"forget,omitempty"`

	// other is the number of changes that are not changes of resources: outputs, moves, edits of a taint, deferred changes and
	// actions.
	// +optional
	Other int32 `json:"other,omitempty"`
}

// PlannedChange is one change of a plan.
type PlannedChange struct {
	// address is the absolute address of the resource, for example "module.machine.nutanix_virtual_machine.this". The address of
	// an output begins with "output.", that of an action with "action.".
	// +required
	// +kubebuilder:validation:MaxLength=512
	Address string `json:"address"`

	// actions are create, update, replace, delete, import, forget, move, untaint, defer or invoke.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=32
	Actions []string `json:"actions"`

	// disruption is the disruption class of the change.
	// +required
	Disruption PlanDisruption `json:"disruption"`

	// reason is Terraform's reason for the actions, for example replace_because_cannot_update, or the manager's reason for an
	// edit of the state.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// importID is the ID with which the resource is imported.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ImportID string `json:"importID,omitempty"`

	// previousAddress is the address of a moved resource before the move.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	PreviousAddress string `json:"previousAddress,omitempty"`

	// replacePaths are the paths of the attributes that force a replacement.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=256
	ReplacePaths []string `json:"replacePaths,omitempty"`

	// attributes are the attributes that the change sets, changes or removes, the most disruptive first. An update has all
	// attributes that change. A create has those that are known, not empty, zero or false, and not only another form of others. A
	// delete has those that identify the resource and what is lost with it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Attributes []PlannedAttribute `json:"attributes,omitempty"`
}

// PlannedAttribute is an attribute that a plan changes.
type PlannedAttribute struct {
	// path of the attribute, for example "memory_size_mib" or "nic_list[0].subnet_uuid".
	// +required
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path"`

	// before is the present value: a string as it is, any other value as JSON. It is not set if there is none. A sensitive value
	// is replaced by "(sensitive value)" with a keyed fingerprint. A long value is cut and ends in "...".
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Before *string `json:"before,omitempty"`

	// after is the planned value in the form of before. It is not set if there is none, or if it is unknown.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	After *string `json:"after,omitempty"`

	// unknown means that the planned value, or a part of it, is known only after the apply.
	// +optional
	Unknown bool `json:"unknown,omitempty"`

	// disruption is the disruption class of the change of this attribute. It is set for updates and replacements.
	// +optional
	Disruption PlanDisruption `json:"disruption,omitempty"`
}

// PlanOmitted counts what the changes of a plan do not contain because it would be too large.
type PlanOmitted struct {
	// changes is the number of changes that are left out.
	// +optional
	Changes int32 `json:"changes,omitempty"`

	// attributes is the number of attributes and replace paths that are left out.
	// +optional
	Attributes int32 `json:"attributes,omitempty"`

	// values is the number of values that are cut.
	// +optional
	Values int32 `json:"values,omitempty"`
}
