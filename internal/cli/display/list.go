package display

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// List is a table of plans.
type List struct {
	Style Style
	Now   time.Time
	// AllNamespaces adds a column with the namespaces.
	AllNamespaces bool
	// Wide shows every plan on a line of its own, with more columns.
	Wide bool
}

// maxWaitingFor is the number of characters that a table contains of what a plan waits for.
const maxWaitingFor = 44

// Sort sorts plans: those that wait first, then the most disruptive, then the oldest.
func Sort(plans []infrav1.NutanixPlan) {
	slices.SortStableFunc(plans, func(a, b infrav1.NutanixPlan) int {
		return cmp.Or(
			phaseOrder(a.Status.Phase)-phaseOrder(b.Status.Phase),
			severity(b.Spec.Disruption)-severity(a.Spec.Disruption),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name),
		)
	})
}

// phaseOrder orders phases: what waits, then what is being decided or applied, then what is final.
func phaseOrder(phase infrav1.PlanPhase) int {
	switch {
	case phase == infrav1.PlanPhaseWaiting:
		return 0
	case !phase.Final():
		return 1
	default:
		return 2
	}
}

// Write writes sorted plans. Unless the list is wide, plans that wait and have the same class are one line.
func (l List) Write(out io.Writer, plans []infrav1.NutanixPlan) error {
	table := table{style: l.Style}
	titles := []string{"PLAN", "TARGET", "CAUSE", "CHANGES", "DISRUPTION", "PHASE", "WAITING FOR", "AGE"}
	if l.Wide {
		titles = append(titles, "DECIDED BY", "AUTHOR", "CHANGE", "CLASS", "MESSAGE")
	}
	if l.AllNamespaces {
		titles = append([]string{"NAMESPACE"}, titles...)
	}
	table.header(titles...)
	for _, class := range l.classes(plans) {
		cells := l.cells(class)
		if l.AllNamespaces {
			cells = append([]cell{{text: class[0].Namespace}}, cells...)
		}
		table.add(cells...)
	}
	return table.write(out)
}

// classes returns the plans of each line.
func (l List) classes(plans []infrav1.NutanixPlan) [][]infrav1.NutanixPlan {
	var classes [][]infrav1.NutanixPlan
	lines := map[string]int{}
	for _, plan := range plans {
		key := plan.Namespace + "/" + plan.Spec.ClassDigest
		line, exists := lines[key]
		switch {
		case l.Wide || plan.Status.Phase != infrav1.PlanPhaseWaiting:
			classes = append(classes, []infrav1.NutanixPlan{plan})
		case exists:
			classes[line] = append(classes[line], plan)
		default:
			lines[key] = len(classes)
			classes = append(classes, []infrav1.NutanixPlan{plan})
		}
	}
	return classes
}

func (l List) cells(class []infrav1.NutanixPlan) []cell {
	plan := class[0]
	color := colorOf(plan.Spec.Disruption)
	if plan.Status.Phase != infrav1.PlanPhaseWaiting {
		color = ""
	}
	name, target, changes := plan.Name, plan.Spec.Target.Kind+"/"+plan.Spec.Target.Name, plan.Spec.Summary
	if len(class) > 1 {
		name = fmt.Sprintf("%s  (%d plans)", CommonName(class), len(class))
		target = "one class, " + Short(plan.Spec.ClassDigest)
		changes += " each"
	}
	cells := []cell{{text: name}, {text: target}, {text: string(plan.Spec.Cause)}, {text: changes}, {string(plan.Spec.Disruption), color},
		{text: string(cmp.Or(plan.Status.Phase, infrav1.PlanPhaseRecorded))}, {text: l.waitingFor(plan)}, {text: age(l.Now, plan.CreationTimestamp)}}
	if l.Wide {
		cells = append(cells, cell{text: dash(strings.Join(plan.Status.DecidedBy, ","))}, cell{text: dash(plan.Spec.Origin.Author)},
			cell{text: Short(plan.Spec.ChangeDigest)}, cell{text: Short(plan.Spec.ClassDigest)}, cell{text: dash(plan.Status.Message)})
	}
	return cells
}

func (l List) waitingFor(plan infrav1.NutanixPlan) string {
	if plan.Status.Phase.Final() || len(plan.Status.WaitingFor) == 0 {
		return "-"
	}
	if l.Wide {
		return strings.Join(plan.Status.WaitingFor, "; ")
	}
	first := cut(plan.Status.WaitingFor[0], maxWaitingFor)
	if more := len(plan.Status.WaitingFor) - 1; more > 0 {
		return fmt.Sprintf("%s (+%d)", first, more)
	}
	return first
}

func dash(text string) string { return cmp.Or(text, "-") }

// CommonName returns the common beginning of the names of the targets, for example "prod-md-1-*".
func CommonName(plans []infrav1.NutanixPlan) string {
	common := plans[0].Spec.Target.Name
	for _, plan := range plans[1:] {
		for !strings.HasPrefix(plan.Spec.Target.Name, common) {
			common = common[:len(common)-1]
		}
	}
	return common[:strings.LastIndex(common, "-")+1] + "*"
}
