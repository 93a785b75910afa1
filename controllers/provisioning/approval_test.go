package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// TestApprovalNeedsNoPipeline checks that a program without a pipeline, which only renders workspaces, can read the rules of a cluster.
func TestApprovalNeedsNoPipeline(t *testing.T) {
	d := &Dependencies{ApprovalFloor: infrav1.TerraformApproval{RequiredApprovals: 2}}
	assert.Equal(t, int32(2), d.Approval(&infrav1.NutanixCluster{}, nil).Rules.RequiredApprovals)
}
