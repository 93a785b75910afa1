package v1beta1

// Reasons that several conditions and kinds use. The reason of an Event equals the reason of the condition it reports.
const (
	// DeletingReason: the object is being deleted.
	DeletingReason = "Deleting"

	// InvalidSpecReason: the spec is not valid; the message names field and remedy.
	InvalidSpecReason = "InvalidSpec"
)

// Reasons of PlanRecordedCondition and AppliedCondition, that is of all work done by Terraform.
const (
	// WaitingForInputsReason: of Ready alone: a condition that it summarises has not been written yet.
	WaitingForInputsReason = "WaitingForInputs"

	// PlanningReason: Terraform is planning.
	PlanningReason = "Planning"

	// PlannedReason: a plan that changes something is recorded.
	PlannedReason = "Planned"

	// NoChangesReason: Terraform planned, and nothing has to change.
	NoChangesReason = "NoChanges"

	// PlanFailedReason: Terraform could not plan; the message says why and whether it tries again.
	PlanFailedReason = "PlanFailed"

	// PlanSupersededReason: the plan no longer fits workspace or state and is made again.
	PlanSupersededReason = "PlanSuperseded"

	// WaitingForPlanReason: there is no recorded plan to apply yet.
	WaitingForPlanReason = "WaitingForPlan"

	// DisruptivePlanReason: the plan would switch off, replace or destroy something of an object that is not being deleted; it is not applied.
	DisruptivePlanReason = "DisruptivePlan"

	// DeniedReason: somebody denied the plan; it is not applied.
	DeniedReason = "Denied"

	// ApplyingReason: Terraform is applying the recorded plan.
	ApplyingReason = "Applying"

	// AppliedReason: the recorded plan was applied.
	AppliedReason = "Applied"

	// ApplyFailedReason: Terraform could not apply; the message says why and whether it tries again.
	ApplyFailedReason = "ApplyFailed"

	// ImportedReason: an existing VM was taken into the Terraform state.
	ImportedReason = "Imported"

	// DestroyingReason: Terraform is destroying what belongs to the object.
	DestroyingReason = "Destroying"

	// DestroyedReason: nothing of the object is left in Prism Central.
	DestroyedReason = "Destroyed"

	// RetainingReason: the deletion policy is Retain; the workspace is being exported, and what it describes stays.
	RetainingReason = "Retaining"

	// RetainedReason: the workspace of a deleted object was exported; what it describes stays in Prism Central.
	RetainedReason = "Retained"

	// CategoryKeptReason: others use the category value of a cluster that was deleted; it stays in Prism Central.
	CategoryKeptReason = "CategoryKept"

	// StateLockedReason: somebody else holds the lock of the Terraform state; the message says who, and since when.
	StateLockedReason = "StateLocked"

	// StateLockBrokenReason: a lock that a dead run of this provider had left was removed.
	StateLockBrokenReason = "StateLockBroken"

	// StateDiscardedReason: a state that an earlier run could not write was overtaken by another one, and is given up.
	StateDiscardedReason = "StateDiscarded"

	// BackendConfigNotFoundReason: the Secret in spec.terraform.backend.configSecretRef does not exist.
	BackendConfigNotFoundReason = "BackendConfigNotFound"

	// ProviderVersionUnavailableReason: spec.terraform.providerVersion is not the version that the manager uses.
	ProviderVersionUnavailableReason = "ProviderVersionUnavailable"

	// ProviderFailedReason: the Terraform provider crashed; the run is repeated.
	ProviderFailedReason = "ProviderFailed"

	// StateBackendFailedReason: the backend that stores the Terraform state failed or refused; the run is retried.
	StateBackendFailedReason = "StateBackendFailed"

	// LocalDiskFullReason: the disk of the manager has no space for the files of a run; the run is retried.
	LocalDiskFullReason = "LocalDiskFull"

	// QuotaExceededReason: Prism Central has not enough resources, or a quota is exhausted; free some, or choose another place.
	QuotaExceededReason = "QuotaExceeded"
)

// Reasons of failures on the way to Prism Central.
const (
	// CredentialsResolvedReason: Prism Central accepts the credentials.
	CredentialsResolvedReason = "CredentialsResolved"

	// CredentialsNotConfiguredReason: spec.prismCentral or its credentialRef is not set.
	CredentialsNotConfiguredReason = "CredentialsNotConfigured"

	// CredentialsNotFoundReason: the Secret of credentialRef does not exist.
	CredentialsNotFoundReason = "CredentialsNotFound"

	// CredentialsInvalidReason: the Secret of credentialRef does not hold credentials in the expected form.
	CredentialsInvalidReason = "CredentialsInvalid"

	// AuthenticationFailedReason: Prism Central does not accept the credentials.
	AuthenticationFailedReason = "AuthenticationFailed"

	// PermissionDeniedReason: the user of the credentials may not do what is needed.
	PermissionDeniedReason = "PermissionDenied"

	// PrismUnreachableReason: Prism Central does not answer, or answers with a passing fault; it is tried again.
	PrismUnreachableReason = "PrismUnreachable"

	// PrismRequestRejectedReason: Prism Central understood a request and rejects it, for another cause than the credentials.
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

	// FailureDomainsInvalidReason: a failure domain names something that Prism Central does not have.
	FailureDomainsInvalidReason = "FailureDomainsInvalid"

	// FailureDomainNotFoundReason: there is no failure domain of that name.
	FailureDomainNotFoundReason = "FailureDomainNotFound"

	// FailureDomainValidReason: the failure domain is valid.
	FailureDomainValidReason = "Valid"

	// FailureDomainInUseReason: the failure domain cannot be deleted while the named objects use it.
	FailureDomainInUseReason = "FailureDomainInUse"

	// FailureDomainNotInUseReason: nothing uses the failure domain.
	FailureDomainNotInUseReason = "FailureDomainNotInUse"

	// WaitingForMachinesDeletedReason: the cluster waits for its machines to be deleted.
	WaitingForMachinesDeletedReason = "WaitingForMachinesDeleted"
)

// Reasons of PreconditionsMetCondition.
const (
	// PreconditionsMetReason: all that a machine waits for is there.
	PreconditionsMetReason = "PreconditionsMet"

	// WaitingForClusterInfrastructureReason: the infrastructure of the cluster is not provisioned yet.
	WaitingForClusterInfrastructureReason = "WaitingForClusterInfrastructure"

	// WaitingForBootstrapDataReason: the bootstrap data of the machine is not there yet.
	WaitingForBootstrapDataReason = "WaitingForBootstrapData"

	// WaitingForControlPlaneInitializedReason: the first control plane machine is not up yet; workers wait for it.
	WaitingForControlPlaneInitializedReason = "WaitingForControlPlaneInitialized"

	// BootstrapDataInvalidReason: of InputsResolved: the bootstrap Secret has no key "value".
	BootstrapDataInvalidReason = "BootstrapDataInvalid"

	// BootstrapDataTooLargeReason: of InputsResolved: the user data is larger than AHV accepts; the message has both sizes.
	BootstrapDataTooLargeReason = "BootstrapDataTooLarge"
)

// Reasons of InputsResolvedCondition: what the spec names is not to be found, or not to be had, in Prism Central.
const (
	// InputsResolvedReason: every name was resolved.
	InputsResolvedReason = "InputsResolved"

	// ImageNotFoundReason: no image of that name or UUID, or none that the look-up matches.
	ImageNotFoundReason = "ImageNotFound"

	// ImageAmbiguousReason: several images have that name; the message lists their UUIDs.
	ImageAmbiguousReason = "ImageAmbiguous"

	// PrismElementNotSetReason: neither spec.cluster nor a failure domain says where to run.
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

// Reasons that concern the identity of a VM, its life and its addresses.
const (
	// VMNameConflictReason: a VM of that name exists and is not ours; the message names it. Nothing is created.
	VMNameConflictReason = "VMNameConflict"

	// VMDuplicateReason: several VMs carry the mark of the object; the message names them. Nothing is created.
	VMDuplicateReason = "VMDuplicate"

	// VMBelongsToOtherReason: the VM that the object or its state names carries the mark of another object. It is not touched.
	VMBelongsToOtherReason = "VMBelongsToOther"

	// VMNotFoundReason: Prism Central does not find the VM. It is searched until its absence is confirmed.
	VMNotFoundReason = "VMNotFound"

	// VMLostReason: the absence of the VM is confirmed. It is not created again: replace the Machine. The condition is
	// withdrawn when the VM returns.
	VMLostReason = "VMLost"

	// VMPoweredOnReason: the VM is switched on.
	VMPoweredOnReason = "VMPoweredOn"

	// VMPoweredOffReason: somebody switched the VM off; it stays off and gets no updates.
	VMPoweredOffReason = "VMPoweredOff"

	// CategoryValuesAmbiguousReason: the VM has several values of a category key, of which an update would keep one; it waits.
	CategoryValuesAmbiguousReason = "CategoryValuesAmbiguous"

	// AddressesAssignedReason: the VM has an address.
	AddressesAssignedReason = "AddressesAssigned"

	// WaitingForAddressesReason: the VM has no address yet.
	WaitingForAddressesReason = "WaitingForAddresses"

	// WaitingForVMReason: the VM is not there yet.
	WaitingForVMReason = "WaitingForVM"

	// ProvisionedReason: the object is complete.
	ProvisionedReason = "Provisioned"
)
