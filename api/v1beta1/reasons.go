package v1beta1

// Reasons that several conditions and kinds use. The reason of an Event equals the reason of the condition it reports.
const (
	// DeletingReason: the object is being deleted.
	DeletingReason = "Deleting"

	// InvalidSpecReason: the spec is invalid; the message names field and remedy.
	InvalidSpecReason = "InvalidSpec"
)

// Reasons of PlanRecordedCondition and AppliedCondition, which report the work of Terraform.
const (
	// WaitingForInputsReason: a condition that Ready summarizes has not been written yet. Only Ready has this reason.
	WaitingForInputsReason = "WaitingForInputs"

	// PlanningReason: Terraform is planning.
	PlanningReason = "Planning"

	// PlannedReason: a plan that changes something is recorded.
	PlannedReason = "Planned"

	// NoChangesReason: the plan changes nothing.
	NoChangesReason = "NoChanges"

	// PlanFailedReason: Terraform could not plan; the message has the cause.
	PlanFailedReason = "PlanFailed"

	// PlanSupersededReason: the workspace or the state has changed since the plan; Terraform plans again.
	PlanSupersededReason = "PlanSuperseded"

	// WaitingForPlanReason: there is no recorded plan to apply yet.
	WaitingForPlanReason = "WaitingForPlan"

	// DisruptivePlanReason: the plan would switch off, replace or destroy a resource of an object that is not being deleted. It
	// waits for approvals.
	DisruptivePlanReason = "DisruptivePlan"

	// WaitingForApprovalReason: the plan disrupts nothing but waits for approvals, or for the end of a freeze. Decided of a NutanixPlan and
	// the event for a plan that begins to wait have this reason for all plans.
	WaitingForApprovalReason = "WaitingForApproval"

	// ApprovedReason: the plan may be applied. Decided of a NutanixPlan has this reason.
	ApprovedReason = "Approved"

	// DeniedReason: a decision or a policy denies the plan. It is not applied.
	DeniedReason = "Denied"

	// ApplyingReason: Terraform is applying the recorded plan.
	ApplyingReason = "Applying"

	// AppliedReason: the recorded plan was applied.
	AppliedReason = "Applied"

	// ApplyFailedReason: Terraform could not apply; the message has the cause.
	ApplyFailedReason = "ApplyFailed"

	// ImportedReason: an existing VM was imported into the Terraform state.
	ImportedReason = "Imported"

	// DestroyingReason: Terraform is destroying the resources of the object.
	DestroyingReason = "Destroying"

	// DestroyedReason: no resource of the object is left in Prism Central.
	DestroyedReason = "Destroyed"

	// VolumeGroupsAttachedReason: the VM cannot be destroyed while volume groups are attached to it; the message names them.
	VolumeGroupsAttachedReason = "VolumeGroupsAttached"

	// VolumeGroupsDetachedReason: the volume groups of a VM that is about to be destroyed were detached from it.
	VolumeGroupsDetachedReason = "VolumeGroupsDetached"

	// RetainingReason: the deletion policy is Retain; the workspace is being exported, and its resources stay in Prism Central.
	RetainingReason = "Retaining"

	// RetainedReason: the workspace of a deleted object was exported; its resources stay in Prism Central.
	RetainedReason = "Retained"

	// CategoryKeptReason: the category value of a deleted cluster is still in use and stays in Prism Central.
	CategoryKeptReason = "CategoryKept"

	// StateLockedReason: another process holds the lock of the Terraform state.
	StateLockedReason = "StateLocked"

	// StateLockBrokenReason: a stale lock of an earlier run of this provider was removed.
	StateLockBrokenReason = "StateLockBroken"

	// StateDiscardedReason: a state that an earlier run could not write is older than the stored one and was discarded.
	StateDiscardedReason = "StateDiscarded"

	// BackendConfigNotFoundReason: the Secret in spec.terraform.backend.configSecretRef does not exist.
	BackendConfigNotFoundReason = "BackendConfigNotFound"

	// BackendConfigInvalidReason: with spec.terraform.backend.config several objects would have one state or one lock, or the Secret in
	// configSecretRef contains a variable that is not allowed or not valid. The message names argument or variable and remedy.
	BackendConfigInvalidReason = "BackendConfigInvalid"

	// StatesReadableReason: the backend stores states that contain bootstrap data without encryption by Terraform.
	StatesReadableReason = "StatesReadable"

	// ProviderVersionUnavailableReason: the manager's provider mirror lacks the version of spec.terraform.providerVersion, or
	// that of the last run.
	ProviderVersionUnavailableReason = "ProviderVersionUnavailable"

	// ProviderFailedReason: the Terraform provider crashed; the run is retried.
	ProviderFailedReason = "ProviderFailed"

	// StateBackendFailedReason: the backend that stores the Terraform state failed or refused; the run is retried.
	StateBackendFailedReason = "StateBackendFailed"

	// LocalDiskFullReason: the disk of the manager has no space for the files of a run; the run is retried.
	LocalDiskFullReason = "LocalDiskFull"

	// QuotaExceededReason: a quota or the resources of a Prism Element are exhausted; free some, or use another Prism Element.
	QuotaExceededReason = "QuotaExceeded"
)

// Reasons of failed connections and requests to Prism Central.
const (
	// CredentialsResolvedReason: Prism Central accepts the credentials.
	CredentialsResolvedReason = "CredentialsResolved"

	// CredentialsNotConfiguredReason: spec.prismCentral or its credentialRef is not set.
	CredentialsNotConfiguredReason = "CredentialsNotConfigured"

	// CredentialsNotFoundReason: the Secret of credentialRef does not exist.
	CredentialsNotFoundReason = "CredentialsNotFound"

	// CredentialsInvalidReason: the Secret of credentialRef contains no credentials in the expected form.
	CredentialsInvalidReason = "CredentialsInvalid"

	// AuthenticationFailedReason: Prism Central does not accept the credentials.
	AuthenticationFailedReason = "AuthenticationFailed"

	// PermissionDeniedReason: the user of the credentials lacks a permission.
	PermissionDeniedReason = "PermissionDenied"

	// PrismUnreachableReason: Prism Central does not respond, or responds with a transient error; the request is retried.
	PrismUnreachableReason = "PrismUnreachable"

	// PrismRequestRejectedReason: Prism Central rejects a request, but not because of the credentials.
	PrismRequestRejectedReason = "PrismRequestRejected"

	// CertificateInvalidReason: the certificate of Prism Central is not trusted; set additionalTrustBundle.
	CertificateInvalidReason = "CertificateInvalid"

	// TrustBundleResolvedReason: the trust bundle was read.
	TrustBundleResolvedReason = "TrustBundleResolved"

	// TrustBundleNotConfiguredReason: no trust bundle is configured; the system's roots are used.
	TrustBundleNotConfiguredReason = "TrustBundleNotConfigured"

	// TrustBundleNotFoundReason: the ConfigMap of the trust bundle does not exist.
	TrustBundleNotFoundReason = "TrustBundleNotFound"

	// TrustBundleInvalidReason: the trust bundle contains no PEM certificate, or the ConfigMap has no key ca.crt.
	TrustBundleInvalidReason = "TrustBundleInvalid"
)

// Reasons of ControlPlaneEndpointSetCondition and FailureDomainsValidatedCondition, and of a NutanixFailureDomain.
const (
	// ControlPlaneEndpointSetReason: the control plane endpoint is set.
	ControlPlaneEndpointSetReason = "ControlPlaneEndpointSet"

	// ControlPlaneEndpointMissingReason: spec.controlPlaneEndpoint is not set; set host and port.
	ControlPlaneEndpointMissingReason = "ControlPlaneEndpointMissing"

	// FailureDomainsValidatedReason: all failure domains exist in Prism Central.
	FailureDomainsValidatedReason = "FailureDomainsValidated"

	// NoFailureDomainsReason: the cluster has no failure domains.
	NoFailureDomainsReason = "NoFailureDomains"

	// FailureDomainsInvalidReason: a failure domain names an entity that does not exist in Prism Central.
	FailureDomainsInvalidReason = "FailureDomainsInvalid"

	// FailureDomainNotFoundReason: no failure domain has that name.
	FailureDomainNotFoundReason = "FailureDomainNotFound"

	// FailureDomainValidReason: the failure domain is valid.
	FailureDomainValidReason = "Valid"

	// FailureDomainInUseReason: the failure domain cannot be deleted while the named objects use it.
	FailureDomainInUseReason = "FailureDomainInUse"

	// FailureDomainNotInUseReason: nothing uses the failure domain.
	FailureDomainNotInUseReason = "FailureDomainNotInUse"

	// WaitingForMachinesDeletedReason: the cluster waits until its machines are deleted.
	WaitingForMachinesDeletedReason = "WaitingForMachinesDeleted"
)

// Reasons of PreconditionsMetCondition.
const (
	// PreconditionsMetReason: the infrastructure of the cluster and the bootstrap data exist.
	PreconditionsMetReason = "PreconditionsMet"

	// WaitingForClusterInfrastructureReason: the infrastructure of the cluster is not provisioned yet.
	WaitingForClusterInfrastructureReason = "WaitingForClusterInfrastructure"

	// WaitingForBootstrapDataReason: the bootstrap data of the machine does not exist yet.
	WaitingForBootstrapDataReason = "WaitingForBootstrapData"

	// WaitingForControlPlaneInitializedReason: the control plane is not initialized yet; workers wait for it.
	WaitingForControlPlaneInitializedReason = "WaitingForControlPlaneInitialized"

	// BootstrapDataInvalidReason: the bootstrap Secret has no key "value". InputsResolved has this reason.
	BootstrapDataInvalidReason = "BootstrapDataInvalid"

	// BootstrapDataTooLargeReason: the user data is larger than AHV accepts; the message has both sizes. InputsResolved has
	// this reason.
	BootstrapDataTooLargeReason = "BootstrapDataTooLarge"
)

// Reasons of InputsResolvedCondition. Most of them say that Prism Central does not have a named entity, or has several of that
// name.
const (
	// InputsResolvedReason: every name was resolved.
	InputsResolvedReason = "InputsResolved"

	// ImageNotFoundReason: no image of that name or UUID, or none that the look-up matches.
	ImageNotFoundReason = "ImageNotFound"

	// ImageAmbiguousReason: several images have that name; the message lists their UUIDs.
	ImageAmbiguousReason = "ImageAmbiguous"

	// PrismElementNotSetReason: neither spec.cluster nor a failure domain names a Prism Element.
	PrismElementNotSetReason = "PrismElementNotSet"

	// PrismElementNotFoundReason: no Prism Element of that name or UUID.
	PrismElementNotFoundReason = "PrismElementNotFound"

	// PrismElementAmbiguousReason: several Prism Elements have that name; the message lists their UUIDs.
	PrismElementAmbiguousReason = "PrismElementAmbiguous"

	// SubnetNotSetReason: neither spec.subnet nor a failure domain names a subnet.
	SubnetNotSetReason = "SubnetNotSet"

	// SubnetNotFoundReason: no subnet of that name or UUID.
	SubnetNotFoundReason = "SubnetNotFound"

	// SubnetAmbiguousReason: several subnets have that name on the Prism Element; the message lists their UUIDs.
	SubnetAmbiguousReason = "SubnetAmbiguous"

	// SubnetWrongPrismElementReason: the VLAN subnet belongs to another Prism Element.
	SubnetWrongPrismElementReason = "SubnetWrongPrismElement"

	// SubnetDuplicateReason: two entries of the list are the same subnet.
	SubnetDuplicateReason = "SubnetDuplicate"

	// ProjectNotFoundReason: no project of that name or UUID.
	ProjectNotFoundReason = "ProjectNotFound"

	// ProjectAmbiguousReason: several projects have that name; the message lists their UUIDs.
	ProjectAmbiguousReason = "ProjectAmbiguous"

	// CategoryNotFoundReason: the category has no such key or value; create it in Prism Central.
	CategoryNotFoundReason = "CategoryNotFound"

	// StorageContainerNotFoundReason: no storage container of that name or UUID on the Prism Element.
	StorageContainerNotFoundReason = "StorageContainerNotFound"

	// StorageContainerAmbiguousReason: several storage containers have that name; the message lists their UUIDs.
	StorageContainerAmbiguousReason = "StorageContainerAmbiguous"

	// GPUNotFoundReason: no GPU of that name or device ID on the Prism Element.
	GPUNotFoundReason = "GPUNotFound"

	// GPUUnavailableReason: fewer GPUs of that kind are free on the Prism Element than are requested.
	GPUUnavailableReason = "GPUUnavailable"
)

// Reasons for the identity, the power state and the addresses of a VM.
const (
	// VMNameConflictReason: a VM of that name exists and does not belong to the machine; the message names it. Nothing is
	// created.
	VMNameConflictReason = "VMNameConflict"

	// VMDuplicateReason: several VMs carry the mark of the object; the message names them. Nothing is created.
	VMDuplicateReason = "VMDuplicate"

	// VMBelongsToOtherReason: the VM that the object or its state names carries the mark of another object. It is not
	// changed.
	VMBelongsToOtherReason = "VMBelongsToOther"

	// VMNotFoundReason: Prism Central does not find the VM. Searches continue until its absence is confirmed.
	VMNotFoundReason = "VMNotFound"

	// VMLostReason: the absence of the VM is confirmed. It is not created again: replace the Machine. The condition is
	// withdrawn when the VM returns.
	VMLostReason = "VMLost"

	// VMPoweredOnReason: the VM is switched on.
	VMPoweredOnReason = "VMPoweredOn"

	// VMPoweredOffReason: the VM was switched off outside of Terraform. It stays off and gets no updates.
	VMPoweredOffReason = "VMPoweredOff"

	// CategoryValuesAmbiguousReason: the VM has several values of one category key, and an update would keep only one of them.
	// The update waits.
	CategoryValuesAmbiguousReason = "CategoryValuesAmbiguous"

	// VMFailedOverReason: the VM came back under another UUID and was recognised by its mark.
	VMFailedOverReason = "VMFailedOver"

	// VMAbsenceUnprovenReason: a VM was not found for so long that it counts as absent, although its absence could not be proven.
	VMAbsenceUnprovenReason = "VMAbsenceUnproven"

	// CreateUnconfirmedReason: it is not known yet whether an earlier create request created a VM. No other create is sent until
	// then.
	CreateUnconfirmedReason = "CreateUnconfirmed"

	// PrismAPIChosenReason: the generation of the Prism API for a new cluster was chosen. It is the reason of an event only.
	PrismAPIChosenReason = "PrismAPIChosen"

	// AddressesAssignedReason: the VM has an address.
	AddressesAssignedReason = "AddressesAssigned"

	// WaitingForAddressesReason: the VM has no address yet.
	WaitingForAddressesReason = "WaitingForAddresses"

	// WaitingForVMReason: the VM does not exist yet.
	WaitingForVMReason = "WaitingForVM"

	// ProvisionedReason: all conditions are True.
	ProvisionedReason = "Provisioned"
)

// Reasons for the migration of an object to the other Prism API.
const (
	// MigratedReason: the Terraform state contains the infrastructure through the Prism API that spec.terraform.api names.
	MigratedReason = "Migrated"

	// MigratingReason: the object is being migrated. Its spec is applied afterwards.
	MigratingReason = "Migrating"

	// WaitingForMigrationReason: the migration has not begun; the message says what it waits for.
	WaitingForMigrationReason = "WaitingForMigration"

	// MigrationRefusedReason: the plan would do more than move the infrastructure in the state. Nothing was changed.
	MigrationRefusedReason = "MigrationRefused"

	// TerraformTooOldReason: the OpenTofu binary cannot migrate objects. Terraform can, and so can OpenTofu since 1.10.
	TerraformTooOldReason = "TerraformTooOld"

	// PrismAPIMismatchReason: the Terraform state contains the infrastructure through another Prism API than the object records, and
	// nobody has asked for a migration. Nothing is planned.
	PrismAPIMismatchReason = "PrismAPIMismatch"
)

// Reasons of the Ready condition of a NutanixPlanPolicy.
const (
	// ExpressionsValidReason: all expressions can be evaluated.
	ExpressionsValidReason = "ExpressionsValid"

	// ExpressionInvalidReason: an expression has a syntax error or a type error. The policy denies all plans that it matches.
	ExpressionInvalidReason = "ExpressionInvalid"

	// EvaluationFailedReason: an expression failed for a plan and denied it.
	EvaluationFailedReason = "EvaluationFailed"
)
