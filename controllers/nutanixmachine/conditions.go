package nutanixmachine

import infrav1 "github.com/capnt/capnt/api/v1beta1"

// milestones are the conditions that Ready summarizes, in the order in which they are reached.
var milestones = []string{
	infrav1.PreconditionsMetCondition,
	infrav1.InputsResolvedCondition,
	infrav1.PlanRecordedCondition,
	infrav1.AppliedCondition,
	infrav1.VMPoweredOnCondition,
	infrav1.AddressesAssignedCondition,
}
