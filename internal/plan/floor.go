package plan

import (
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Rules TEMPORARY
type Rules struct {
	Mode              infrav1.ApprovalMode
	RequiredApprovals int32
	MaxAge            time.Duration
}

func (r Rules) Closed(now time.Time, deleting bool) (string, time.Time) { return "", time.Time{} }

func Merge(floor, cluster infrav1.TerraformApproval) Rules {
	return Rules{Mode: cluster.Mode, RequiredApprovals: cluster.RequiredApprovals}
}
