package display

import (
	"fmt"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// facts returns the lines that say why the plan was made, what it waits for, and what a decision is bound to.
func (s Screen) facts(plan *infrav1.NutanixPlan) []string {
	var lines []string
	add := func(label, text string) {
		for i, line := range wrap(text, width-11) {
			if i > 0 {
				label = ""
			}
			lines = append(lines, fmt.Sprintf("  %-9s%s", label, line))
		}
	}
	add("Why", why(plan.Spec))
	add("By", by(plan.Spec.Origin))
	if plan.Spec.Hold != nil {
		add("Held", plan.Spec.Hold.Message)
	}
	add(outcome(plan))
	for _, text := range s.decisions() {
		add("Decision", text)
	}
	if s.PodsUnknown != "" {
		add("Pods", "unknown: "+s.PodsUnknown)
	}
	add("Bound to", s.bound(plan))
	if text := omitted(plan.Spec.Omitted); text != "" {
		add("Omitted", text)
	}
	return lines
}

// why says why a plan was made.
func why(spec infrav1.NutanixPlanSpec) string {
	causes := map[infrav1.PlanCause]string{
		infrav1.PlanCauseCreate:  "the object has no infrastructure yet",
		infrav1.PlanCauseUpdate:  "the spec of the object or its inputs changed",
		infrav1.PlanCauseDrift:   "the infrastructure was changed outside of CAPNT",
		infrav1.PlanCauseImport:  "infrastructure of the object exists and is not in its Terraform state",
		infrav1.PlanCauseDelete:  "the object is being deleted",
		infrav1.PlanCauseMigrate: "the infrastructure moves to the other Prism API and does not change",
		infrav1.PlanCauseForget:  "a resource in the Terraform state does not exist or belongs to another object",
		infrav1.PlanCauseUntaint: "a resource is tainted in the Terraform state and healthy",
	}
	text := string(spec.Cause)
	if cause := causes[spec.Cause]; cause != "" {
		text += ": " + cause
	}
	return text
}

// by says who and what caused a change.
func by(origin infrav1.PlanOrigin) string {
	text := origin.Author
	if text == "" {
		text = "no known author" // a change of a number of replicas has none
	}
	var details []string
	if origin.Source != "" {
		details = append(details, origin.Source)
	}
	if origin.Revision != "" {
		details = append(details, origin.Revision)
	}
	if origin.Owner != "" {
		details = append(details, "for "+origin.Owner)
	}
	if len(details) > 0 {
		text += ", " + strings.Join(details, ", ")
	}
	return text
}

// outcome says what a plan waits for, who decided, or why it ended.
func outcome(plan *infrav1.NutanixPlan) (label, text string) {
	status := plan.Status
	switch {
	case len(status.WaitingFor) > 0 && !status.Phase.Final():
		return "Needs", strings.Join(slices.DeleteFunc(slices.Clone(status.WaitingFor), repeatsHeadline), "; ")
	case len(status.DecidedBy) > 0:
		text = strings.Join(status.DecidedBy, ", ")
		if len(status.Decisions) > 0 {
			text += " (" + strings.Join(status.Decisions, ", ") + ")"
		}
		if status.Message != "" {
			text += ": " + status.Message
		}
		return "Decided", text
	case status.Message != "":
		return "Status", status.Message
	default:
		return "Needs", "nothing"
	}
}

// maxDecisions is the number of decisions that a screen lists.
const maxDecisions = 3

// decisions returns a line for each decision that applies to the plan and has not expired.
func (s Screen) decisions() []string {
	if s.DecisionsUnknown != "" {
		return []string{"unknown: " + s.DecisionsUnknown}
	}
	var lines []string
	for _, decision := range s.Decisions {
		spec := decision.Spec
		if decision.DeletionTimestamp.IsZero() && !spec.Expired(s.Now) {
			lines = append(lines, fmt.Sprintf("%s by %s (%s), %s", spec.Verdict, spec.DecidedBy.Username, decision.Name, s.expires(*spec.ExpiresAt)))
		}
	}
	slices.Sort(lines)
	if more := len(lines) - maxDecisions; more > 0 {
		lines = append(lines[:maxDecisions], fmt.Sprintf("%d more", more))
	}
	return lines
}

// repeatsHeadline reports whether the headline already contains what a plan waits for.
func repeatsHeadline(text string) bool {
	return strings.HasPrefix(text, "the plan has disruption class ")
}

func (s Screen) bound(plan *infrav1.NutanixPlan) string {
	spec := plan.Spec
	parts := []string{"change " + Short(spec.ChangeDigest), "class " + Short(spec.ClassDigest)}
	if s.SameClass > 1 {
		parts[1] += fmt.Sprintf(" (%d wait)", s.SameClass)
	}
	if spec.State.Lineage != "" {
		parts = append(parts, fmt.Sprintf("state serial %d", spec.State.Serial))
	}
	if spec.File != nil {
		parts = append(parts, "nutanix "+spec.File.Provider)
	} else {
		parts = append(parts, "no plan file")
	}
	return strings.Join(parts, ", ")
}

func omitted(omitted infrav1.PlanOmitted) string {
	var parts []string
	if omitted.Changes > 0 {
		parts = append(parts, CountOf(int(omitted.Changes), "change"))
	}
	if omitted.Attributes > 0 {
		parts = append(parts, CountOf(int(omitted.Attributes), "attribute"))
	}
	if omitted.Values > 0 {
		parts = append(parts, "the ends of "+CountOf(int(omitted.Values), "value"))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " (too large for the record; the digests cover them)"
}

func (s Screen) approveCommand(plan *infrav1.NutanixPlan) string {
	return fmt.Sprintf("%s plan approve -n %s %s --reason \"...\"", s.Program, plan.Namespace, plan.Name)
}

// wrap splits text into lines of at most length characters, at spaces. A longer word has a line of its own.
func wrap(text string, length int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(printable(text)) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > length {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
