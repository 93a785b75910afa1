package v1beta1

import (
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// Conditions of several kinds. A NutanixPlan has AppliedCondition and DecidedCondition. The type of a condition is the name of its
// constant without "Condition". True is the normal status of a condition. Ready summarizes the others; Cluster API mirrors it as
// InfrastructureReady.
const (
	// ReadyCondition is True if the object matches its spec. Otherwise it has the reason and message of the first condition that
	// is False, or, if none is False, of the first condition that is not True.
	ReadyCondition = clusterv1.ReadyCondition

	// PausedCondition is True while reconciliation is paused (annotation cluster.x-k8s.io/paused, or Cluster.spec.paused).
	PausedCondition = clusterv1.PausedCondition

	// PlanRecordedCondition is True when a Terraform plan for the current inputs is recorded, or none is needed.
	PlanRecordedCondition = "PlanRecorded"

	// AppliedCondition is True when the recorded plan was applied and the state is in sync with the spec.
	AppliedCondition = "Applied"

	// DecidedCondition is False while a recorded plan waits for a decision. It is True when the plan is approved or denied, or if no plan
	// waits. Ready does not summarize it, because an object stays as it is while its plan waits.
	DecidedCondition = "Decided"
)

// PrismAPIMigratedCondition is False while the owner asks for the migration of an object to the other Prism API, and True when the object
// was migrated. Other objects do not have it. Ready does not summarize it, because the infrastructure stays as it is.
const PrismAPIMigratedCondition = "PrismAPIMigrated"

// Conditions of a NutanixCluster.
const (
	// CredentialsResolvedCondition is True when the credential Secret was read and Prism Central accepted it.
	CredentialsResolvedCondition = "CredentialsResolved"

	// TrustBundleResolvedCondition is True when the trust bundle was read, or none is configured.
	TrustBundleResolvedCondition = "TrustBundleResolved"

	// FailureDomainsValidatedCondition is True when all failure domains exist in Prism Central, or none is configured.
	FailureDomainsValidatedCondition = "FailureDomainsValidated"

	// ControlPlaneEndpointSetCondition is True when spec.controlPlaneEndpoint has host and port.
	ControlPlaneEndpointSetCondition = "ControlPlaneEndpointSet"
)

// Conditions of a NutanixMachine.
const (
	// PreconditionsMetCondition is True when the infrastructure of the cluster and the bootstrap data exist.
	PreconditionsMetCondition = "PreconditionsMet"

	// InputsResolvedCondition is True when every name in the spec was resolved to a UUID in Prism Central.
	InputsResolvedCondition = "InputsResolved"

	// VMPoweredOnCondition is True when the VM is switched on.
	VMPoweredOnCondition = "VMPoweredOn"

	// AddressesAssignedCondition is True when the VM has an address.
	AddressesAssignedCondition = "AddressesAssigned"
)

// Conditions of a NutanixFailureDomain.
const (
	// FailureDomainValidCondition is True when the spec of the failure domain is valid.
	FailureDomainValidCondition = "Valid"

	// SafeForDeletionCondition is False while machines or clusters use the failure domain.
	SafeForDeletionCondition = "SafeForDeletion"
)
