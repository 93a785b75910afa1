package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

func (a *app) planCommand() *cobra.Command {
	return group("plan", "Show and decide recorded plans", a.planListCommand(), a.planShowCommand(), a.planDiffCommand(),
		a.decideCommand(infrav1.PlanVerdictApproved), a.decideCommand(infrav1.PlanVerdictDenied), a.planWaitCommand())
}

func (a *app) planListCommand() *cobra.Command {
	var output, selector string
	var all bool
	var phases []string
	command := &cobra.Command{
		Use:   "list",
		Short: "List plans: those that wait first, the most disruptive first",
		Long: `list lists plans: those that wait first, and of these the most disruptive first. Plans that wait and have the same class are one line.

The exit code is 1 if a plan waits.`,
		Aliases: []string{"ls"},
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := validatePhases(phases); err != nil {
				return err
			}
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			options, err := listOptions(cluster, all, selector)
			if err != nil {
				return err
			}
			plans := &infrav1.NutanixPlanList{}
			if err := cluster.List(command.Context(), plans, options...); err != nil {
				return fmt.Errorf("listing plans: %w", err)
			}
			plans.Items = inPhases(plans.Items, phases)
			return a.writeList(cluster, plans, output, all)
		},
	}
	addOutput(command, &output, outputWide, outputJSON, outputYAML, outputName)
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "List the plans of all namespaces")
	command.Flags().StringVarP(&selector, "selector", "l", "", "Label selector")
	command.Flags().StringSliceVar(&phases, "phase", nil, "List only plans in these phases, for example Waiting")
	_ = command.RegisterFlagCompletionFunc("phase", cobra.FixedCompletions(phaseNames(), cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (a *app) writeList(cluster *Cluster, plans *infrav1.NutanixPlanList, output string, allNamespaces bool) error {
	display.Sort(plans.Items)
	var err error
	switch {
	case output == outputJSON, output == outputYAML:
		err = encodeList(a.Out, output, plans, cluster.Scheme())
	case output == outputName:
		for _, plan := range plans.Items {
			fmt.Fprintln(a.Out, "nutanixplan.infrastructure.cluster.x-k8s.io/"+plan.Name)
		}
	case len(plans.Items) == 0:
		fmt.Fprintln(a.Err, "No plans found.")
	default:
		list := display.List{Style: a.style(), Now: a.Now(), AllNamespaces: allNamespaces, Wide: output == outputWide}
		err = list.Write(a.Out, plans.Items)
	}
	if err == nil && anyWaits(plans.Items) {
		return errWaits
	}
	return err
}

func (a *app) planShowCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "show PLAN",
		Short: "Show what a plan does, why, and what it waits for",
		Long: `show shows what a plan does to which object, how disruptive it is, why it was made, what it waits for and until when, and how to approve
it. If a plan disrupts a Node, show counts the pods on it with the kubeconfig of the workload cluster, if you may read its Secret.

-o tfjson writes the recorded part of the plan in the JSON format of Terraform, for tools such as conftest and checkov. Sensitive values
are replaced, and an update contains only the attributes that it changes. The exit code is 1 if the plan waits.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePlans(1),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			plan, err := getPlan(command.Context(), cluster, args[0])
			if err != nil {
				return err
			}
			if err := a.writePlan(command.Context(), cluster, plan, output); err != nil {
				return err
			}
			if waits(*plan) {
				return errWaits
			}
			return nil
		},
	}
	addOutput(command, &output, outputJSON, outputYAML, outputTerraform)
	return command
}

func (a *app) writePlan(ctx context.Context, cluster *Cluster, plan *infrav1.NutanixPlan, output string) error {
	switch output {
	case outputJSON, outputYAML:
		return encodeObject(a.Out, output, plan, cluster.Scheme())
	case outputTerraform:
		return encode(a.Out, outputJSON, display.TerraformPlan(plan))
	}
	machine, owner := targetOf(ctx, cluster, plan)
	screen := display.Screen{Style: a.style(), Now: a.Now(), Program: a.Program, Names: display.NamesFor(plan, machine)}
	addNode(ctx, cluster, plan, owner, &screen)
	if !plan.Status.Phase.Final() {
		addDecisions(ctx, cluster, plan, &screen)
	}
	plans, err := waitingPlans(ctx, cluster, plan.Namespace)
	if err != nil {
		return err
	}
	screen.SameClass = len(selectPlans(plans, func(other infrav1.NutanixPlan) bool { return other.Spec.ClassDigest == plan.Spec.ClassDigest }))
	return screen.Write(a.Out, plan)
}

func (a *app) planDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff PLAN [PLAN]",
		Short: "Show all attributes that a plan changes, or compare two plans",
		Long: `diff shows all recorded attributes of a plan with their paths in Terraform. With two plans it shows the attributes that they set to
different values, for example to find out why one machine of a rollout is not covered by the decision for the others.

The exit code is 1 if the plan changes something, or if the two plans differ.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completePlans(2),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			first, err := getPlan(command.Context(), cluster, args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.diff(first)
			}
			second, err := getPlan(command.Context(), cluster, args[1])
			if err != nil {
				return err
			}
			differences := display.Compare(first, second)
			if len(differences) == 0 {
				return nil
			}
			if err := display.WriteDifferences(a.Out, a.style(), first, second, differences); err != nil {
				return err
			}
			return errWaits
		},
	}
}

func (a *app) diff(plan *infrav1.NutanixPlan) error {
	if len(plan.Spec.Changes) == 0 {
		return nil
	}
	if err := display.Diff(a.Out, a.style(), plan); err != nil {
		return err
	}
	return errWaits
}

func getPlan(ctx context.Context, cluster *Cluster, name string) (*infrav1.NutanixPlan, error) {
	plan := &infrav1.NutanixPlan{}
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: name}, plan); err != nil {
		return nil, fmt.Errorf("reading plan %s/%s: %w", cluster.Namespace, name, err)
	}
	return plan, nil
}
