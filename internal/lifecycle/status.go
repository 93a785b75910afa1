package lifecycle

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// Record writes the results of the last plan, the last apply and the last read of the state to the Terraform status of an object. It
// leaves fields unchanged for which this process has no result.
func (r Result) Record(status *infrav1.TerraformStatus, terraformVersion, providerVersion string) {
	if r.LastPlan != nil {
		status.LastPlan = summarize(r.LastPlan)
	}
	if !r.LastApplied.IsZero() {
		status.LastAppliedTime = &metav1.Time{Time: r.LastApplied}
	}
	if !r.Checked.IsZero() && r.Err == nil {
		status.LastCheckTime, status.InfrastructureDigest = &metav1.Time{Time: r.Checked}, r.Digest
	}
	if r.Applied != nil {
		status.WorkspaceDigest, status.Lineage, status.Serial = r.Applied.WorkspaceDigest, r.Applied.Lineage, r.Applied.Serial
		status.TerraformVersion, status.ProviderVersion = terraformVersion, providerVersion
	}
}

// summaryChanges is the maximum number of changes that a status lists.
const summaryChanges = 32

func summarize(record *plan.Record) *infrav1.PlanSummary {
	summary := &infrav1.PlanSummary{
		Cause:   infrav1.PlanCause(record.Cause),
		Create:  record.Counts.Create,
		Update:  record.Counts.Update,
		Replace: record.Counts.Replace,
		Delete:  record.Counts.Delete,
		Import:  record.Counts.Import,
		Time:    metav1.NewTime(record.Time),
	}
	resources := record.Resources()
	for _, change := range resources[:min(len(resources), summaryChanges)] {
		actions := make([]string, 0, len(change.Actions))
		for _, action := range change.Actions {
			actions = append(actions, string(action))
		}
		summary.Changes = append(summary.Changes, infrav1.PlanChange{Address: change.Address, Actions: actions})
	}
	return summary
}
