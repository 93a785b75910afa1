package display

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// width is the number of characters in a line.
const width = 80

// maxRows is the number of rows for each resource on one screen. Rows that disrupt something are always shown.
const maxRows = 11

// maxLabel is the number of characters to which labels are padded.
const maxLabel = 14

// Screen shows one plan on one screen.
type Screen struct {
	Style Style
	Now   time.Time
	// Program is what the user typed to start this program, for example "kubectl capnt".
	Program string
	Names   Names
	// Node describes the node of the machine, for example "Node prod-md-0-9d8v2, Ready, 41 pods". It is empty if there is none. PodsUnknown
	// says why the number of pods is unknown. It is empty if the number is known or of no interest.
	Node, PodsUnknown string
	// Decisions are the decisions with a digest of the plan. DecisionsUnknown says why they are unknown.
	Decisions        []infrav1.NutanixPlanDecision
	DecisionsUnknown string
	// SameClass is the number of plans that wait and have the same class digest, this plan included.
	SameClass int
}

// Write writes the screen.
func (s Screen) Write(out io.Writer, plan *infrav1.NutanixPlan) error {
	lines := s.title(plan)
	for _, change := range plan.Spec.Changes {
		lines = append(lines, s.change(plan, change)...)
	}
	if len(plan.Spec.Changes) > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, s.facts(plan)...)
	if plan.Status.Phase == infrav1.PlanPhaseWaiting {
		lines = append(lines, "", "  Approve: "+s.approveCommand(plan))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

func (s Screen) title(plan *infrav1.NutanixPlan) []string {
	name := "Plan " + plan.Namespace + "/" + plan.Name
	phase := s.phase(plan)
	gap := max(2, width-len(name)-len(phase))
	color := colorOf(plan.Spec.Disruption)
	lines := []string{s.Style.paint(bold, name) + strings.Repeat(" ", gap) + s.Style.paint(bold, phase)}
	for _, line := range wrap(headline(plan, s.Node), width-2) {
		lines = append(lines, "  "+s.Style.paint(color, line))
	}
	return append(lines, "")
}

func (s Screen) phase(plan *infrav1.NutanixPlan) string {
	phase := string(cmp.Or(plan.Status.Phase, infrav1.PlanPhaseRecorded))
	if plan.Status.Phase.Final() && plan.Status.FinishedTime != nil {
		return phase + " " + age(s.Now, *plan.Status.FinishedTime) + " ago"
	}
	phase += " " + age(s.Now, plan.CreationTimestamp)
	if expires := plan.Status.ExpirationTime; expires != nil {
		phase += ", " + s.expires(*expires)
	}
	return phase
}

// expires says when something expires.
func (s Screen) expires(at metav1.Time) string {
	if !s.Now.Before(at.Time) {
		return "expired"
	}
	return "expires in " + duration.HumanDuration(at.Sub(s.Now))
}

// headline says in one sentence what happens to which object.
func headline(plan *infrav1.NutanixPlan, node string) string {
	spec := plan.Spec
	object := spec.Target.Kind + "/" + spec.Target.Name
	if node != "" {
		object += " (" + node + ")"
	}
	things := "the infrastructure of "
	if spec.Target.Kind == "NutanixMachine" {
		things = "the virtual machine of "
	}
	switch {
	case spec.Disruption == infrav1.PlanDisruptionDestroy:
		return "This destroys " + things + object
	case spec.Disruption == infrav1.PlanDisruptionReplace:
		return "This destroys " + things + object + " and creates it again"
	case spec.Disruption == infrav1.PlanDisruptionPowerCycle:
		return "This power-cycles " + things + object
	case spec.File == nil:
		return "This changes only the Terraform state of " + object + ", not its infrastructure"
	case spec.Counts.Create > 0:
		return "This creates " + things + object
	case spec.Counts.Import > 0:
		return "This imports " + things + object + " into its Terraform state"
	default:
		return "This changes " + things + object + " without a disruption"
	}
}

// change returns the lines for one resource.
func (s Screen) change(plan *infrav1.NutanixPlan, change infrav1.PlannedChange) []string {
	sign, color := symbol(change.Actions)
	address := printable(change.Address)
	head := "  " + s.Style.paint(color, sign) + " " + address
	if class := effect(change.Disruption); class != "" {
		head += strings.Repeat(" ", max(2, width-len(class)-4-len(address))) + s.Style.paint(colorOf(change.Disruption), class)
	}
	lines := append([]string{head}, notes(change)...)
	rows, unknown := rowsOf(change, s.Names)
	shown, hidden := rows, 0
	if len(rows) > maxRows {
		shown = rows[:max(maxRows, disruptive(rows))]
		hidden = len(rows) - len(shown)
	}
	lines = append(lines, s.rows(shown)...)
	if more := remainder(hidden, unknown); more != "" {
		lines = append(lines, "      "+more+": "+s.Program+" plan diff -n "+plan.Namespace+" "+plan.Name)
	}
	return lines
}

// disruptive returns the number of rows that disrupt something. They come first.
func disruptive(rows []row) int {
	for i, row := range rows {
		if severity(row.disruption) == 0 {
			return i
		}
	}
	return len(rows)
}

func remainder(hidden, unknown int) string {
	var parts []string
	if hidden > 0 {
		parts = append(parts, fmt.Sprintf("%d more", hidden))
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d known after apply", unknown))
	}
	return strings.Join(parts, ", ")
}

// notes returns lines for what is not a value: the actions without a sign, the reason of Terraform and identifiers.
func notes(change infrav1.PlannedChange) []string {
	var lines []string
	add := func(format string, arguments ...any) {
		lines = append(lines, "      "+cut(printable(fmt.Sprintf(format, arguments...)), width-6))
	}
	if sign, _ := symbol(change.Actions); sign == "*" || len(change.Actions) > 1 {
		add("actions: %s", strings.Join(change.Actions, ", "))
	}
	if change.ImportID != "" {
		add("imports %s", change.ImportID)
	}
	if change.PreviousAddress != "" {
		add("moved from %s", change.PreviousAddress)
	}
	if change.Reason != "" {
		add("reason: %s", strings.ReplaceAll(change.Reason, "_", " "))
	}
	if len(change.ReplacePaths) > 0 {
		add("replaced because of %s", strings.Join(change.ReplacePaths, ", "))
	}
	return lines
}

// rows aligns labels, values and disruption classes.
func (s Screen) rows(rows []row) []string {
	labels := 0
	for _, row := range rows {
		labels = max(labels, len([]rune(printable(row.label))))
	}
	labels = min(labels, maxLabel)
	var lines []string
	for _, row := range rows {
		class := effect(row.disruption)
		room := width - 6 - max(labels, len([]rune(printable(row.label)))) - 2
		if class != "" {
			room -= len(class) + 2
		}
		line := fmt.Sprintf("      %-*s  ", labels, printable(row.label))
		value := row.value()
		if severity(row.disruption) == 0 {
			value = cut(value, max(room, 20))
		}
		if class != "" {
			value += strings.Repeat(" ", max(2, width-len([]rune(line))-len([]rune(value))-len(class))) +
				s.Style.paint(colorOf(row.disruption), class)
		}
		lines = append(lines, line+value)
	}
	return lines
}
