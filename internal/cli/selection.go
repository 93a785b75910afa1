package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func listOptions(cluster *Cluster, all bool, selector string) ([]client.ListOption, error) {
	var options []client.ListOption
	if !all {
		options = append(options, client.InNamespace(cluster.Namespace))
	}
	if selector != "" {
		parsed, err := labels.Parse(selector)
		if err != nil {
			return nil, fmt.Errorf("parsing the label selector: %w", err)
		}
		options = append(options, client.MatchingLabelsSelector{Selector: parsed})
	}
	return options, nil
}

// waits reports whether a plan waits for a decision.
func waits(plan infrav1.NutanixPlan) bool { return plan.Status.Phase == infrav1.PlanPhaseWaiting }

func anyWaits(plans []infrav1.NutanixPlan) bool { return slices.ContainsFunc(plans, waits) }

// waitingPlans returns the plans of a namespace that wait for a decision.
func waitingPlans(ctx context.Context, cluster *Cluster, namespace string) ([]infrav1.NutanixPlan, error) {
	plans := &infrav1.NutanixPlanList{}
	if err := cluster.List(ctx, plans, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing plans: %w", err)
	}
	return selectPlans(plans.Items, waits), nil
}

func selectPlans(plans []infrav1.NutanixPlan, matches func(infrav1.NutanixPlan) bool) []infrav1.NutanixPlan {
	var selected []infrav1.NutanixPlan
	for _, plan := range plans {
		if matches(plan) {
			selected = append(selected, plan)
		}
	}
	return selected
}

// inPhases returns the plans in the named phases, or all plans if no phase is named.
func inPhases(plans []infrav1.NutanixPlan, phases []string) []infrav1.NutanixPlan {
	if len(phases) == 0 {
		return plans
	}
	return selectPlans(plans, func(plan infrav1.NutanixPlan) bool { return slices.Contains(phases, string(plan.Status.Phase)) })
}

// validatePhases returns an error for the first name that is not the name of a phase. Otherwise a list for "waiting" would be empty.
func validatePhases(phases []string) error {
	for _, phase := range phases {
		if !slices.Contains(phaseNames(), phase) {
			return fmt.Errorf("invalid phase %q: set --phase to one of %s", phase, strings.Join(phaseNames(), ", "))
		}
	}
	return nil
}

// phaseNames returns the names of all phases.
func phaseNames() []string {
	var names []string
	for _, phase := range []infrav1.PlanPhase{
		infrav1.PlanPhaseRecorded, infrav1.PlanPhaseWaiting, infrav1.PlanPhaseApproved, infrav1.PlanPhaseDenied, infrav1.PlanPhaseApplying,
		infrav1.PlanPhaseApplied, infrav1.PlanPhaseFailed, infrav1.PlanPhaseSuperseded, infrav1.PlanPhaseExpired,
	} {
		names = append(names, string(phase))
	}
	return names
}

func encodeList(out io.Writer, format string, plans *infrav1.NutanixPlanList, scheme *runtime.Scheme) error {
	for i := range plans.Items {
		if err := complete(&plans.Items[i], scheme); err != nil {
			return err
		}
	}
	plans.SetGroupVersionKind(infrav1.GroupVersion.WithKind("NutanixPlanList"))
	return encode(out, format, plans)
}
