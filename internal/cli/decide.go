package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

// Values of --dry-run, as those of kubectl.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// decideFlags are the flags of approve and deny.
type decideFlags struct {
	changes, classes []string
	reason           string
	expires          time.Duration
	maxUses          int32
	limited          bool // the user has set maxUses
	yes              bool
	dryRun, output   string
}

func (a *app) decideCommand(verdict infrav1.PlanVerdict) *cobra.Command {
	flags := decideFlags{}
	command := &cobra.Command{
		Use:   verb(verdict) + " [PLAN...]",
		Short: strings.ToUpper(verb(verdict)[:1]) + verb(verdict)[1:] + " plans by name, by change or by class",
		Long: `A decision is about digests: a change digest (--change, or that of a named plan) is one change of one machine, and a class digest
(--class) is the same change of any machine of one rollout. Digests may be shortened to at least 6 hex digits.

The command shows the change and the plans that the decision covers, asks for a confirmation, and creates a NutanixPlanDecision.
--dry-run=client -o yaml prints the decision instead, for example to commit it to Git.`,
		ValidArgsFunction: a.completePlans(256),
		RunE: func(command *cobra.Command, args []string) error {
			flags.limited = command.Flags().Changed("max-uses")
			return a.decide(command.Context(), verdict, args, flags)
		},
	}
	addOutput(command, &flags.output, outputYAML, outputJSON, outputName)
	set := command.Flags()
	set.StringSliceVar(&flags.changes, "change", nil, "Change digest, also for a plan that does not exist yet")
	set.StringSliceVar(&flags.classes, "class", nil, "Class digest: all plans of one rollout")
	set.StringVar(&flags.reason, "reason", "", "Reason of the decision, for example a change request; required")
	set.DurationVar(&flags.expires, "expires", 24*time.Hour, "How long the decision applies")
	set.Int32Var(&flags.maxUses, "max-uses", 0, "Number of machines for which each digest may be used (default: the plans of the class that wait)")
	set.BoolVarP(&flags.yes, "yes", "y", false, "Do not ask for a confirmation")
	set.StringVar(&flags.dryRun, "dry-run", dryRunNone, "none, client (print the decision) or server (let the API server check it)")
	set.Lookup("dry-run").NoOptDefVal = dryRunClient
	return command
}

// decide creates the decision that the flags describe.
func (a *app) decide(ctx context.Context, verdict infrav1.PlanVerdict, names []string, flags decideFlags) error {
	if err := flags.validate(); err != nil {
		return err
	}
	cluster, err := a.connect()
	if err != nil {
		return err
	}
	plans := &infrav1.NutanixPlanList{}
	if err := cluster.List(ctx, plans, client.InNamespace(cluster.Namespace)); err != nil {
		return fmt.Errorf("listing plans: %w", err)
	}
	covered, err := resolveCoverage(verdict, plans.Items, names, flags.changes, flags.classes)
	if err != nil {
		return err
	}
	answers := bufio.NewReader(a.In)
	if flags.reason, err = a.askReason(answers, flags.reason); err != nil {
		return err
	}
	decision, err := newDecision(verdict, cluster.Namespace, covered, flags.reason, a.Now().Add(flags.expires), flags.maxUses)
	if err != nil {
		return err
	}
	if flags.dryRun == dryRunClient {
		return a.printDecision(cluster, decision, flags)
	}
	if err := a.refuseTwice(ctx, cluster, decision, covered); err != nil {
		return err
	}
	if err := a.confirm(ctx, cluster, answers, covered, decision, flags); err != nil {
		return err
	}
	return a.createDecision(ctx, cluster, decision, flags)
}

func (f decideFlags) validate() error {
	switch {
	case f.expires <= 0:
		return errors.New("--expires is not positive: set it to a duration such as 24h")
	case f.limited && f.maxUses < 1: // 0 must not mean the default
		return errors.New("--max-uses is not positive: set it to the number of machines")
	case f.dryRun != dryRunNone && f.dryRun != dryRunClient && f.dryRun != dryRunServer:
		return fmt.Errorf("invalid value %q of --dry-run: set it to none, client or server", f.dryRun)
	}
	return nil
}

func (a *app) askReason(answers *bufio.Reader, reason string) (string, error) {
	if reason == "" && a.Interactive {
		fmt.Fprint(a.Err, "Reason: ")
		line, _ := answers.ReadString('\n')
		reason = strings.TrimSpace(line)
	}
	if reason == "" {
		return "", errors.New("a decision needs a reason: set --reason, for example to the number of a change request")
	}
	return reason, nil
}

// refuseTwice returns an error if the user has already decided the same.
func (a *app) refuseTwice(ctx context.Context, cluster *Cluster, decision *infrav1.NutanixPlanDecision, covered coverage) error {
	decisions := &infrav1.NutanixPlanDecisionList{}
	if err := cluster.List(ctx, decisions, client.InNamespace(cluster.Namespace)); err != nil {
		return fmt.Errorf("listing decisions: %w", err)
	}
	user, err := cluster.Username(ctx)
	if err != nil {
		return err
	}
	if own := covered.plansBy(user); own > 0 && decision.Spec.Verdict == infrav1.PlanVerdictApproved {
		fmt.Fprintf(a.Err, "Your approval does not count for %d of these plans, because you made the change.\n", own)
	}
	return decidedBefore(decision, covered, decisions.Items, user, a.Now())
}

// confirm shows what the decision covers and asks the user for a confirmation.
func (a *app) confirm(ctx context.Context, cluster *Cluster, answers *bufio.Reader, covered coverage, decision *infrav1.NutanixPlanDecision, flags decideFlags) error {
	screen := display.Coverage{Style: a.style(), Names: namesOf(ctx, cluster, covered)}
	if err := screen.Write(a.Err, covered.plans, covered.outliers); err != nil {
		return err
	}
	if len(covered.plans) == 0 {
		fmt.Fprintln(a.Err, "No plan has these digests yet. The decision will apply to plans that are made later.")
	}
	if flags.yes {
		return nil
	}
	if !a.Interactive {
		return errors.New("a decision needs a confirmation: set --yes")
	}
	fmt.Fprint(a.Err, question(decision, covered, flags.expires))
	line, _ := answers.ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		fmt.Fprintln(a.Err, "Nothing was decided.")
		return errWaits
	}
	return nil
}

func question(decision *infrav1.NutanixPlanDecision, covered coverage, expires time.Duration) string {
	what := "1 plan"
	if len(covered.plans) != 1 {
		what = fmt.Sprintf("%d plans", len(covered.plans))
	}
	if uses := decision.Spec.MaxUses; uses != nil {
		what = fmt.Sprintf("%d uses", *uses)
	}
	name := verb(decision.Spec.Verdict)
	return fmt.Sprintf("%s%s %s for %s? [y/N] ", strings.ToUpper(name[:1]), name[1:], what, duration.HumanDuration(expires))
}

// maxMachines is the number of machines that namesOf reads.
const maxMachines = 10

// namesOf returns the names for the UUIDs in one plan of each class and in the outliers.
func namesOf(ctx context.Context, cluster *Cluster, covered coverage) display.Names {
	var shown []infrav1.NutanixPlan
	for _, class := range display.Classes(covered.plans) {
		shown = append(shown, class[0])
	}
	shown = append(shown, covered.outliers...)
	names := display.Names{}
	for _, plan := range shown[:min(len(shown), maxMachines)] {
		machine, _ := targetOf(ctx, cluster, &plan)
		for uuid, name := range display.NamesFor(&plan, machine) {
			names[uuid] = name
		}
	}
	return names
}

func (a *app) createDecision(ctx context.Context, cluster *Cluster, decision *infrav1.NutanixPlanDecision, flags decideFlags) error {
	var options []client.CreateOption
	if flags.dryRun == dryRunServer {
		options = append(options, client.DryRunAll)
	}
	if err := cluster.Create(ctx, decision, options...); err != nil {
		return fmt.Errorf("creating the decision: %w", err)
	}
	if flags.output != "" {
		return a.printDecision(cluster, decision, flags)
	}
	suffix := ""
	if flags.dryRun == dryRunServer {
		suffix = " (server dry run)"
	}
	fmt.Fprintf(a.Out, "decision %s/%s created: %s until %s%s\n", decision.Namespace, decision.Name, decision.Spec.Verdict, expiry(*decision), suffix)
	return nil
}

// printDecision prints a decision as an object. A decision that was not created gets a name, because GitOps tools need one.
func (a *app) printDecision(cluster *Cluster, decision *infrav1.NutanixPlanDecision, flags decideFlags) error {
	if decision.Name == "" {
		decision.Name = decision.GenerateName + a.Now().UTC().Format("20060102-150405")
		decision.GenerateName = ""
	}
	if flags.output == outputName {
		fmt.Fprintln(a.Out, "nutanixplandecision.infrastructure.cluster.x-k8s.io/"+decision.Name)
		return nil
	}
	format := outputYAML
	if flags.output == outputJSON {
		format = outputJSON
	}
	return encodeObject(a.Out, format, decision, cluster.Scheme())
}
