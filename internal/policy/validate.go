package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// ValidateNew checks the expressions of a policy that somebody writes. It accepts only libraries that all supported releases of
// Kubernetes have.
func ValidateNew(policy *infrav1.NutanixPlanPolicy) field.ErrorList {
	return validate(policy, func(expression string, result *cel.Type) error {
		_, err := compile(expression, result, environment.NewExpressions)
		return err
	})
}

// ValidateStored checks the expressions of a policy that is stored. A policy with an error denies the plans that it matches.
func ValidateStored(policy *infrav1.NutanixPlanPolicy) field.ErrorList {
	return validate(policy, func(expression string, result *cel.Type) error {
		_, err := compileStored(expression, result)
		return err
	})
}

func validate(policy *infrav1.NutanixPlanPolicy, check func(expression string, result *cel.Type) error) field.ErrorList {
	var errs field.ErrorList
	for i, rule := range policy.Spec.Rules {
		path := field.NewPath("spec", "rules").Index(i)
		if err := check(rule.Expression, cel.BoolType); err != nil {
			errs = append(errs, invalid(path.Child("expression"), rule, rule.Expression, err))
		}
		if rule.MessageExpression == "" {
			continue
		}
		if err := check(rule.MessageExpression, cel.StringType); err != nil {
			errs = append(errs, invalid(path.Child("messageExpression"), rule, rule.MessageExpression, err))
		}
	}
	return errs
}

// Warnings describes rules that are valid but deny all plans of NutanixClusters, because they read fields of machine.
func Warnings(policy *infrav1.NutanixPlanPolicy) []string {
	kinds := policy.Spec.Match.Kinds
	if len(kinds) > 0 && !slices.Contains(kinds, clusterKind) {
		return nil
	}
	var warnings []string
	for i, rule := range policy.Spec.Rules {
		if readsMachine(rule.Expression) {
			warnings = append(warnings, fmt.Sprintf("spec.rules[%d].expression: rule %s reads fields of machine, which is null for plans of a "+
				"NutanixCluster: set spec.match.kinds to [%s], or compare machine with null, because an expression that fails denies the plan",
				i, rule.Name, machineKind))
		}
	}
	return warnings
}

// readsMachine reports whether an expression selects a field of machine and never compares machine with null.
func readsMachine(expression string) bool {
	set, err := environments()
	if err != nil {
		return false
	}
	parsed, issues := set.NewExpressionsEnv().Parse(expression)
	if issues.Err() != nil {
		return false
	}
	uses := ast.MatchDescendants(ast.NavigateAST(parsed.NativeRep()), func(node ast.NavigableExpr) bool {
		return node.Kind() == ast.IdentKind && node.AsIdent() == machineVariable
	})
	reads := false
	for _, use := range uses {
		parent, ok := use.Parent()
		if ok && parent.Kind() == ast.CallKind {
			return false // for example machine == null
		}
		reads = reads || ok && parent.Kind() == ast.SelectKind
	}
	return reads
}

func invalid(path *field.Path, rule infrav1.PolicyRule, expression string, err error) *field.Error {
	return field.Invalid(path, expression, fmt.Sprintf("rule %s: %v", rule.Name, err))
}

// describe returns the errors of a compilation, each with the line and the column in the expression.
func describe(issues *cel.Issues) error {
	var problems []string
	for _, problem := range issues.Errors() {
		problems = append(problems, fmt.Sprintf("line %d, column %d: %s",
			problem.Location.Line(), problem.Location.Column()+1, problem.Message))
	}
	return errors.New(strings.Join(problems, "; "))
}
