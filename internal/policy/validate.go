package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
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
