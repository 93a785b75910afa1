package plan

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Rules are the approval rules of the manager and of a cluster together.
type Rules struct {
	// Mode says which plans wait. Empty means Disruptive.
	Mode infrav1.ApprovalMode
	// RequiredApprovals is the number of different users who must approve a plan that waits. 0 means 1.
	RequiredApprovals int32
	// MaxAge is how long a plan waits until it expires.
	MaxAge time.Duration

	// sources are the rules of the manager and of the cluster. Their freezes and windows are not merged, because a plan may be applied
	// only in a window of each.
	sources []source
}

// source contains the rules of one owner.
type source struct {
	owner    string
	approval infrav1.TerraformApproval
}

// Merge returns the stricter value of each field of the manager's floor and the rules of a cluster. Unset fields have their defaults.
func Merge(floor, cluster infrav1.TerraformApproval) Rules {
	rules := Rules{
		Mode:              infrav1.ApprovalModeDisruptive,
		RequiredApprovals: max(1, floor.RequiredApprovals, cluster.RequiredApprovals),
		MaxAge:            min(maxAge(floor), maxAge(cluster)),
		sources:           []source{{"of the manager", floor}, {"of the NutanixCluster", cluster}},
	}
	if floor.Mode == infrav1.ApprovalModeAlways || cluster.Mode == infrav1.ApprovalModeAlways {
		rules.Mode = infrav1.ApprovalModeAlways
	}
	return rules
}

// ClusterRules returns the rules for the plans of a cluster and of its machines, with the manager's floor.
func ClusterRules(floor infrav1.TerraformApproval, cluster *infrav1.NutanixCluster) Rules {
	if cluster.Spec.Terraform == nil || cluster.Spec.Terraform.Approval == nil {
		return Merge(floor, infrav1.TerraformApproval{})
	}
	return Merge(floor, *cluster.Spec.Terraform.Approval)
}

// maxAge returns maxAge of the approval or its default.
func maxAge(approval infrav1.TerraformApproval) time.Duration {
	if approval.MaxAge == nil {
		return infrav1.DefaultApprovalMaxAge
	}
	return cmp.Or(approval.MaxAge.Duration, infrav1.DefaultApprovalMaxAge)
}

// ReadFloor reads the approval rules of the manager from a YAML file with the fields of spec.terraform.approval. It returns no rules if path
// is empty.
func ReadFloor(path string) (infrav1.TerraformApproval, error) {
	floor := infrav1.TerraformApproval{}
	if path == "" {
		return floor, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return floor, fmt.Errorf("reading the approval rules of the manager: %w", err)
	}
	if err := yaml.UnmarshalStrict(content, &floor); err != nil {
		return floor, fmt.Errorf("reading the approval rules of the manager: %s must contain the fields of spec.terraform.approval of a NutanixCluster: %w", path, err)
	}
	if err := floor.Validate(nil).ToAggregate(); err != nil {
		return floor, fmt.Errorf("reading the approval rules of the manager: %s is invalid: %w", path, err)
	}
	return floor, nil
}
