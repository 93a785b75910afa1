package policy_test

import (
	"testing"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// BenchmarkEvaluate measures what a typical policy adds to each plan.
func BenchmarkEvaluate(b *testing.B) {
	policies := []infrav1.NutanixPlanPolicy{
		newPolicy("plan.changes.all(c, c.attributes.all(a, !a.path.endsWith('subnet_uuid') || a.after in ['x', 'y']))"),
		newPolicy("quantity(machine.spec.memorySize).isLessThan(quantity('64Gi'))"),
	}
	input := driftInput()
	for b.Loop() {
		if findings := policy.Evaluate(policies, input); len(findings) != 0 {
			b.Fatal(findings)
		}
	}
}
