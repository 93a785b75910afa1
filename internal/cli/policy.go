package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation/field"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
	"github.com/capnt/capnt/internal/policy"
)

// policyFlags are the flags of policy test.
type policyFlags struct {
	policies, objects []string
	now               string
	machineCount      int64
}

func (a *app) policyCommand() *cobra.Command {
	return group("policy", "Test policies", a.policyTestCommand())
}

func (a *app) policyTestCommand() *cobra.Command {
	flags := policyFlags{}
	command := &cobra.Command{
		Use:   "test -f POLICY_FILE [PLAN...]",
		Short: "Evaluate policies for recorded plans",
		Long: `test evaluates the policies in files for recorded plans, without changing anything. The plans are those of the cluster that are named,
and those in the files of --objects. With --objects alone the command needs no cluster: the files then contain also the NutanixMachine,
the NutanixCluster and the Namespace of a plan, as far as the policies use them. Without --machine-count, the NutanixMachines are counted.

The exit code is 1 if a policy denies a plan or requires an approval.`,
		Example: `  kubectl get nplan,nma,ncl -n prod -o yaml >objects.yaml
  capnt policy test -f policy.yaml --objects objects.yaml
  capnt policy test -f policy.yaml --now 2026-12-04T10:00:00+01:00 prod-md-0-9d8v2-9f2c1a-77ab`,
		ValidArgsFunction: a.completePlans(256),
		RunE: func(command *cobra.Command, args []string) error {
			return a.testPolicies(command.Context(), args, flags, command.Flags().Changed("machine-count"))
		},
	}
	set := command.Flags()
	set.StringSliceVarP(&flags.policies, "filename", "f", nil, "Files with NutanixPlanPolicies; - is the input; required")
	set.StringSliceVar(&flags.objects, "objects", nil, "Files with NutanixPlans and the objects that they belong to")
	set.StringVar(&flags.now, "now", "", "Time of the evaluation, for example 2026-12-04T10:00:00+01:00 (default: the present)")
	set.Int64Var(&flags.machineCount, "machine-count", 0, "Number of machines of the cluster")
	_ = command.MarkFlagRequired("filename")
	return command
}

func (a *app) testPolicies(ctx context.Context, names []string, flags policyFlags, counted bool) error {
	now, err := a.timeOf(flags.now)
	if err != nil {
		return err
	}
	policies, err := a.readPolicies(flags.policies)
	if err != nil {
		return err
	}
	objects, err := a.readManifests(flags.objects)
	if err != nil {
		return err
	}
	inputs := inputsFrom(objects)
	if len(names) > 0 {
		fromCluster, err := a.inputsFromCluster(ctx, names)
		if err != nil {
			return err
		}
		inputs = append(inputs, fromCluster...)
	}
	if len(inputs) == 0 {
		return errors.New("no plan to test: name plans of the cluster, or set --objects to files with NutanixPlans")
	}
	for i := range inputs {
		inputs[i].Now = now
		if counted {
			inputs[i].MachineCount = &flags.machineCount
		}
	}
	return a.writeFindings(policies, inputs)
}

func (a *app) timeOf(text string) (time.Time, error) {
	if text == "" {
		return a.Now(), nil
	}
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("parsing --now: %w", err)
	}
	return now, nil
}

// readPolicies returns the policies in files. An expression that admission would reject is an error.
func (a *app) readPolicies(paths []string) ([]infrav1.NutanixPlanPolicy, error) {
	objects, err := a.readManifests(paths)
	if err != nil {
		return nil, err
	}
	var policies []infrav1.NutanixPlanPolicy
	var invalid field.ErrorList
	for _, object := range objects {
		if found, isPolicy := object.(*infrav1.NutanixPlanPolicy); isPolicy {
			invalid = append(invalid, policy.ValidateNew(found)...)
			policies = append(policies, *found)
		}
	}
	if len(policies) == 0 {
		return nil, errors.New("the files of -f contain no NutanixPlanPolicy")
	}
	return policies, invalid.ToAggregate()
}

// writeFindings evaluates the policies for each plan and writes a line for each rule that is not satisfied.
func (a *app) writeFindings(policies []infrav1.NutanixPlanPolicy, inputs []policy.Input) error {
	rows := [][]string{{"PLAN", "VERDICT", "POLICY", "RULE", "MESSAGE"}}
	var stopped, failed bool
	for _, input := range inputs {
		name := input.Plan.Namespace + "/" + input.Plan.Name
		findings := policy.Evaluate(policies, input)
		for _, finding := range findings {
			stopped = stopped || finding.Verdict != infrav1.PolicyVerdictWarn
			failed = failed || finding.Err != nil
			rows = append(rows, []string{name, string(finding.Verdict), strings.TrimPrefix(finding.Policy, "/"), finding.Rule, finding.Message})
		}
		if len(findings) == 0 {
			rows = append(rows, []string{name, "-", "-", "-", "satisfies all policies"})
		}
	}
	if err := display.Table(a.Out, rows); err != nil {
		return err
	}
	switch {
	case failed:
		return errors.New("some rules could not be evaluated: they deny plans")
	case stopped:
		return errWaits
	}
	return nil
}
