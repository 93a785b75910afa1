package nutanixcluster

import infrav1 "github.com/capnt/capnt/api/v1beta1"

// milestones are the conditions that Ready summarizes, in the order in which they are reached.
var milestones = []string{
	infrav1.CredentialsResolvedCondition,
	infrav1.TrustBundleResolvedCondition,
	infrav1.FailureDomainsValidatedCondition,
	infrav1.ControlPlaneEndpointSetCondition,
	infrav1.PlanRecordedCondition,
	infrav1.AppliedCondition,
}
