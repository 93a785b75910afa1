package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Values of --for.
const (
	forDecided = "decided"
	forApplied = "applied"
)

func (a *app) planWaitCommand() *cobra.Command {
	var until string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "wait PLAN",
		Short: "Wait until a plan is decided or applied",
		Long: `wait ends when the plan is decided or applied.

The exit code is 0 if the plan was approved or applied, 1 if it still waits when the timeout ends, and 2 if it was denied, failed,
superseded or expired.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePlans(1),
		RunE: func(command *cobra.Command, args []string) error {
			if until != forDecided && until != forApplied {
				return fmt.Errorf("invalid value %q of --for: set it to decided or applied", until)
			}
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			return a.wait(ctx, cluster, args[0], until)
		},
	}
	command.Flags().StringVar(&until, "for", forDecided, "What to wait for: decided or applied")
	command.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "How long to wait")
	_ = command.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{forDecided, forApplied}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

func (a *app) wait(ctx context.Context, cluster *Cluster, name, until string) error {
	if _, err := getPlan(ctx, cluster, name); err != nil {
		return err
	}
	reached := func(event watch.Event) (bool, error) {
		plan, isPlan := event.Object.(*infrav1.NutanixPlan)
		switch {
		case !isPlan:
			return false, nil
		case event.Type == watch.Deleted:
			return false, fmt.Errorf("plan %s was deleted", name)
		}
		return reachedBy(*plan, until)
	}
	event, err := watchtools.UntilWithSync(ctx, listWatch(cluster, name), &infrav1.NutanixPlan{}, nil, reached)
	switch {
	case wait.Interrupted(err) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		fmt.Fprintf(a.Err, "Plan %s still waits.\n", name)
		return errWaits
	case err != nil:
		return fmt.Errorf("waiting for plan %s: %w", name, err)
	}
	if plan, isPlan := event.Object.(*infrav1.NutanixPlan); isPlan {
		fmt.Fprintf(a.Out, "plan %s/%s is %s\n", plan.Namespace, plan.Name, plan.Status.Phase)
	}
	return nil
}

// reachedBy reports whether a plan has reached what the user waits for. It returns an error if the plan can never reach it.
func reachedBy(plan infrav1.NutanixPlan, until string) (bool, error) {
	switch phase := plan.Status.Phase; phase {
	case infrav1.PlanPhaseApplied:
		return true, nil
	case infrav1.PlanPhaseApproved, infrav1.PlanPhaseApplying:
		return until == forDecided, nil
	case infrav1.PlanPhaseDenied, infrav1.PlanPhaseFailed, infrav1.PlanPhaseSuperseded, infrav1.PlanPhaseExpired:
		return false, fmt.Errorf("the plan is %s: %s", phase, plan.Status.Message)
	case infrav1.PlanPhaseRecorded, infrav1.PlanPhaseWaiting:
	}
	return false, nil
}

// listWatch lists and watches one plan.
func listWatch(cluster *Cluster, name string) cache.ListerWatcher {
	options := func(raw metav1.ListOptions) []client.ListOption {
		return []client.ListOption{
			&client.ListOptions{Raw: &raw, Namespace: cluster.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", name)},
		}
	}
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			plans := &infrav1.NutanixPlanList{}
			return plans, cluster.List(ctx, plans, options(raw)...)
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return cluster.Watch(ctx, &infrav1.NutanixPlanList{}, options(raw)...)
		},
	}, cluster.WithWatch)
}
