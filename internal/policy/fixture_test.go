package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// wednesday is 12:00 on a Wednesday in Berlin.
var wednesday = time.Date(2026, 12, 2, 11, 0, 0, 0, time.UTC)

// driftPlan returns a plan that power-cycles the machine of driftInput.
func driftPlan() *infrav1.NutanixPlan {
	return &infrav1.NutanixPlan{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "prod-md-0-9d8v2-9f2c1a-77ab"},
		Spec: infrav1.NutanixPlanSpec{
			Target:     infrav1.PlanTarget{Key: "9e38d3b0", Kind: "NutanixMachine", Namespace: "prod", Name: "prod-md-0-9d8v2", Generation: 3},
			Cause:      infrav1.PlanCauseDrift,
			Disruption: infrav1.PlanDisruptionPowerCycle,
			Origin:     infrav1.PlanOrigin{Author: "app-owner@example.com", Cluster: "prod"},
			Counts:     infrav1.PlanCounts{Update: 1},
			Changes: []infrav1.PlannedChange{{
				Address: "module.machine.nutanix_virtual_machine.this", Actions: []string{"update"}, Disruption: infrav1.PlanDisruptionPowerCycle,
				Attributes: []infrav1.PlannedAttribute{{
					Path: "memory_size_mib", Before: new("16384"), After: new("8192"), Disruption: infrav1.PlanDisruptionPowerCycle,
				}},
			}},
		},
	}
}

// driftInput returns the values of all variables for driftPlan.
func driftInput() policy.Input {
	return policy.Input{
		Plan: driftPlan(),
		Machine: &infrav1.NutanixMachine{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "prod", Name: "prod-md-0-9d8v2", Labels: map[string]string{clusterv1.ClusterNameLabel: "prod"},
				CreationTimestamp: metav1.NewTime(wednesday.Add(-time.Hour)),
			},
			Spec: infrav1.NutanixMachineSpec{
				VCPUSockets: 2, VCPUsPerSocket: 2, MemorySize: resource.MustParse("8Gi"), SystemDiskSize: resource.MustParse("40Gi"),
				Project: &infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: new("web")},
			},
		},
		Cluster: &infrav1.NutanixCluster{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "prod"},
			Spec:       infrav1.NutanixClusterSpec{PrismCentral: &infrav1.NutanixPrismEndpoint{Address: "prism.example.com", Port: 9440}},
		},
		Namespace:    &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod", Labels: map[string]string{"env": "production"}}},
		MachineCount: new(int64(3)),
		Now:          wednesday,
	}
}

// clusterInput returns the values of the variables for a plan of a NutanixCluster.
func clusterInput() policy.Input {
	input := driftInput()
	input.Machine = nil
	input.Plan.Spec.Target.Kind, input.Plan.Spec.Target.Name = "NutanixCluster", "prod"
	return input
}

// newPolicy returns a policy with one rule that denies a plan for which the expression is not true.
func newPolicy(expression string) infrav1.NutanixPlanPolicy {
	return infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "p"},
		Spec: infrav1.NutanixPlanPolicySpec{Rules: []infrav1.PolicyRule{{
			Name: "r", Expression: expression, Verdict: infrav1.PolicyVerdictDeny,
		}}},
	}
}

// onlyFinding evaluates one policy and returns its finding.
func onlyFinding(t *testing.T, p infrav1.NutanixPlanPolicy, input policy.Input) policy.Finding {
	t.Helper()
	findings := policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, input)
	require.Len(t, findings, 1)
	return findings[0]
}
