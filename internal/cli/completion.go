package cli

import (
	"slices"

	"github.com/spf13/cobra"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

// completePlans completes up to limit names of plans. Plans that wait come first.
func (a *app) completePlans(limit int) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var completions []cobra.Completion
		for _, plan := range a.plansToComplete(command) {
			if !slices.Contains(args, plan.Name) {
				completions = append(completions, cobra.CompletionWithDesc(plan.Name,
					string(plan.Status.Phase)+" "+string(plan.Spec.Cause)+" "+plan.Spec.Summary+" "+string(plan.Spec.Disruption)))
			}
		}
		return completions, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// plansToComplete returns the plans of the namespace, those that wait first. A completion has nowhere to report an error.
func (a *app) plansToComplete(command *cobra.Command) []infrav1.NutanixPlan {
	cluster, err := a.connect()
	if err != nil {
		return nil
	}
	options, _ := listOptions(cluster, false, "")
	plans := &infrav1.NutanixPlanList{}
	if err := cluster.List(command.Context(), plans, options...); err != nil {
		return nil
	}
	display.Sort(plans.Items)
	return plans.Items
}
