// Package policy compiles and evaluates NutanixPlanPolicies. Their expressions are CEL expressions with the libraries, the language settings
// and the cost limits of ValidatingAdmissionPolicy. The package needs no API server, because the schemas of the variables come from the
// embedded CustomResourceDefinitions.
//
// A rule that cannot be evaluated denies the plan. Reasons are an expression that does not compile, an error while it is evaluated, and
// an evaluation that costs too much.
package policy

import (
	"cmp"
	"slices"
	"time"
	_ "time/tzdata" // expressions name time zones, and the image of the manager need not contain the database

	corev1 "k8s.io/api/core/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Input contains the values of the variables of expressions.
type Input struct {
	// Plan is the plan to evaluate. Only its metadata and spec are visible to expressions.
	Plan *infrav1.NutanixPlan
	// Machine is the target of the plan, or nil if the target is a NutanixCluster.
	Machine *infrav1.NutanixMachine
	// Cluster is the NutanixCluster of the target, or nil if it does not exist any more.
	Cluster *infrav1.NutanixCluster
	// Namespace is the namespace of the target. If it is nil, an expression that uses it denies the plan.
	Namespace *corev1.Namespace
	// MachineCount is the number of NutanixMachines of the cluster that are not being deleted. If it is nil, an expression that uses it
	// denies the plan.
	MachineCount *int64
	// Now is the time of the evaluation.
	Now time.Time
}

// Finding is a rule that a plan does not satisfy.
type Finding struct {
	// Policy is the namespace and the name of the policy, separated by a slash.
	Policy string
	// Rule is the name of the rule.
	Rule string
	// Verdict is the verdict of the rule, or Deny if Err is set.
	Verdict infrav1.PolicyVerdict
	// Message is the message of the rule. If Err is set, it says why the rule cannot be evaluated and what to do.
	Message string
	// Volatile says that the finding can change without an event, because the expression reads now, machineCount or namespaceObject.
	Volatile bool
	// Err is the reason why the rule could not be evaluated. It is nil if the expression is false.
	Err error
}

// Evaluate evaluates the rules of all policies that match the plan, and returns a finding for each rule that is not satisfied. Policies
// are evaluated in the order of namespace and name, so the same input always has the same findings. The caller selects the policies by
// namespace. See List.
func Evaluate(policies []infrav1.NutanixPlanPolicy, input Input) []Finding {
	sorted := slices.SortedFunc(slices.Values(policies), func(a, b infrav1.NutanixPlanPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	var findings []Finding
	evaluation := newEvaluation(input)
	for i := range sorted {
		if !matches(sorted[i].Spec.Match, input) {
			continue
		}
		for _, rule := range sorted[i].Spec.Rules {
			if finding := evaluation.evaluate(&sorted[i], rule); finding != nil {
				findings = append(findings, *finding)
			}
			if evaluation.exhausted() {
				return findings // the finding of the last rule denies the plan
			}
		}
	}
	return findings
}
