package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/cel-go/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// maxMessage is the maximum length of a message in bytes. A status has room for several of them.
const maxMessage = 512

// planBudget is how much the evaluation of all policies for one plan may cost. It is as much as Kubernetes allows for the match conditions
// of an admission policy. Each expression may cost celconfig.PerCallLimit.
const planBudget = celconfig.RuntimeCELCostBudgetMatchConditions

// errBudget is the error of the rule with which the policies of a plan have cost too much together.
var errBudget = errors.New("the policies that apply to the plan cost more together than one evaluation may cost")

// evaluation evaluates rules for one plan.
type evaluation struct {
	input Input
	// variables are the values of the variables. They are converted for the first rule.
	variables map[string]any
	// spent is the cost of all expressions that have been evaluated.
	spent uint64
}

func newEvaluation(input Input) *evaluation {
	return &evaluation{input: input}
}

// exhausted reports whether the rules so far have cost more than the rules for one plan may cost.
func (e *evaluation) exhausted() bool { return e.spent > planBudget }

// evaluate returns the finding of a rule, or nil if the rule is satisfied.
func (e *evaluation) evaluate(policy *infrav1.NutanixPlanPolicy, rule infrav1.PolicyRule) *Finding {
	finding := &Finding{Policy: policy.Namespace + "/" + policy.Name, Rule: rule.Name, Verdict: rule.Verdict}
	satisfied, err := e.run(rule.Expression, cel.BoolType)
	if made, err := compileStored(rule.Expression, cel.BoolType); err == nil {
		finding.Volatile = made.volatile
	}
	if err == nil {
		if satisfied == true {
			return nil
		}
		finding.Message = e.message(rule)
		if !e.exhausted() {
			return finding
		}
		err = errBudget // the rules after this one are not evaluated
	}
	finding.Verdict, finding.Err = infrav1.PolicyVerdictDeny, err
	finding.Message = plain(fmt.Sprintf("rule %s of policy %s cannot be evaluated and therefore denies the plan: %v. %s",
		rule.Name, finding.Policy, err, e.remedy(err)))
	return finding
}

// message returns the message of a rule that is not satisfied. If messageExpression fails, it returns the default message, as for a
// ValidatingAdmissionPolicy.
func (e *evaluation) message(rule infrav1.PolicyRule) string {
	message := rule.Message
	if rule.MessageExpression != "" {
		if result, err := e.run(rule.MessageExpression, cel.StringType); err == nil {
			message, _ = result.(string)
		}
	}
	if message = plain(message); message != "" {
		return message
	}
	return plain(rule.Name + ": the expression is not true: " + rule.Expression)
}

// run evaluates an expression and returns a bool or a string.
func (e *evaluation) run(expression string, result *cel.Type) (any, error) {
	program, err := compileStored(expression, result)
	if err != nil {
		return nil, &compileError{err}
	}
	if e.variables == nil {
		if e.variables, err = variables(e.input); err != nil {
			return nil, err
		}
	}
	value, details, err := program.Eval(e.variables)
	if cost := details.ActualCost(); cost != nil {
		e.spent += *cost
	}
	if e.exhausted() {
		return nil, errBudget
	}
	if err != nil {
		return nil, err
	}
	return value.Value(), nil
}

// compileError is the error of an expression that does not compile.
type compileError struct{ error }

// remedy says how to correct a rule that cannot be evaluated.
func (e *evaluation) remedy(err error) string {
	var compiling *compileError
	switch {
	case errors.As(err, &compiling):
		return "Correct the expression"
	case errors.Is(err, errBudget):
		return "Remove policies or simplify their expressions"
	case strings.Contains(err.Error(), "cost limit exceeded"):
		return "Simplify the expression"
	case e.input.Machine == nil && e.input.Plan.Spec.Target.Kind != machineKind:
		return "machine is null for this plan: if the policy is for machines only, set spec.match.kinds to [NutanixMachine]"
	default:
		return "Test with has() whether optional fields are set"
	}
}

// plain returns a message as one line of printable characters that is not too long. Messages contain values that others have written, and
// are shown in terminals.
func plain(message string) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, message)
	text := strings.Join(strings.Fields(printable), " ")
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage-len("...")], "") + "..."
}
