package display

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Coverage shows what a decision covers before it is made.
type Coverage struct {
	Style Style
	Names Names
}

// maxListed is the number of plans that Coverage lists by name.
const maxListed = 20

// particular contains the labels of the rows that differ between the machines of one class, because they belong to one machine.
var particular = []string{"name", "description", "user data", "meta data"}

// Write writes the change of each class once, with the plans that it covers. outliers are plans that the decision does not cover,
// although they have the same owner and cause as a covered plan.
func (c Coverage) Write(out io.Writer, covered, outliers []infrav1.NutanixPlan) error {
	var lines []string
	for _, class := range Classes(covered) {
		lines = append(lines, c.class(class, outliers)...)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// Classes groups plans by their class, in the order of the first plan of each class.
func Classes(plans []infrav1.NutanixPlan) [][]infrav1.NutanixPlan {
	var classes [][]infrav1.NutanixPlan
	for _, plan := range plans {
		i := slices.IndexFunc(classes, func(class []infrav1.NutanixPlan) bool { return class[0].Spec.ClassDigest == plan.Spec.ClassDigest })
		if i < 0 {
			classes = append(classes, nil)
			i = len(classes) - 1
		}
		classes[i] = append(classes[i], plan)
	}
	return classes
}

func (c Coverage) class(class, outliers []infrav1.NutanixPlan) []string {
	first := &class[0]
	varying := c.varying(class)
	var lines []string
	for _, line := range wrap(c.summary(class), width) {
		lines = append(lines, c.Style.paint(colorOf(first.Spec.Disruption), line))
	}
	for _, change := range first.Spec.Changes {
		sign, color := symbol(change.Actions)
		lines = append(lines, "  "+c.Style.paint(color, sign)+" "+printable(change.Address))
		lines = append(lines, notes(change)...)
		rows, _ := rowsOf(change, c.Names)
		rows = slices.DeleteFunc(rows, func(row row) bool { return len(class) > 1 && slices.Contains(varying, row.label) })
		lines = append(lines, Screen{Style: c.Style}.rows(rows)...)
	}
	lines = append(lines, wrapList("Covered: ", planNames(class))...)
	for _, outlier := range outliersOf(first, outliers) {
		lines = append(lines, wrap("Not covered: "+outlier.Name+" ("+c.difference(first, &outlier, varying)+")", width)...)
	}
	return append(lines, "")
}

// summary says what the plans of a class do, and in what they differ.
func (c Coverage) summary(class []infrav1.NutanixPlan) string {
	first := class[0]
	text := fmt.Sprintf("%s of class %s: %s", CountOf(len(class), "plan"), Short(first.Spec.ClassDigest), first.Spec.Summary)
	if len(class) > 1 {
		text += " each"
	}
	text += ", " + string(first.Spec.Cause)
	if class := effect(first.Spec.Disruption); class != "" {
		text += ", disruption: " + class
	}
	if first.Spec.Origin.Owner != "" {
		text += ", of " + first.Spec.Origin.Owner
	}
	if varying := c.varying(class); len(class) > 1 && len(varying) > 0 {
		text += ". They differ in " + strings.Join(varying, ", ") + " alone"
	}
	return text + "."
}

// varying returns the labels of the rows in which the plans of a class differ.
func (c Coverage) varying(class []infrav1.NutanixPlan) []string {
	labels := map[string]bool{}
	first := c.labelled(&class[0])
	for i := range class[1:] {
		other := c.labelled(&class[1+i])
		all := maps.Clone(first)
		maps.Copy(all, other)
		for label := range all {
			if first[label] != other[label] {
				labels[label] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(labels))
}

// labelled returns the values of the rows of a plan by their labels.
func (c Coverage) labelled(plan *infrav1.NutanixPlan) map[string]string {
	result := map[string]string{}
	for _, change := range plan.Spec.Changes {
		rows, _ := rowsOf(change, c.Names)
		for _, row := range rows {
			result[row.label] += row.value()
		}
	}
	return result
}

// difference says how an outlier differs from the plans that a decision covers.
func (c Coverage) difference(covered, outlier *infrav1.NutanixPlan, varying []string) string {
	first, second := c.labelled(covered), c.labelled(outlier)
	all := maps.Clone(first)
	maps.Copy(all, second)
	var parts []string
	for _, label := range slices.Sorted(maps.Keys(all)) {
		if first[label] == second[label] || slices.Contains(varying, label) || slices.Contains(particular, label) {
			continue
		}
		value := second[label]
		if value == "" {
			value = "not set"
		}
		parts = append(parts, printable(label)+": "+value)
	}
	if len(parts) == 0 {
		return "class " + Short(outlier.Spec.ClassDigest)
	}
	return cut(strings.Join(parts, "; "), 2*width)
}

// outliersOf returns the outliers with the owner and cause of a plan.
func outliersOf(plan *infrav1.NutanixPlan, outliers []infrav1.NutanixPlan) []infrav1.NutanixPlan {
	var result []infrav1.NutanixPlan
	for _, outlier := range outliers {
		if IsOutlier(plan, &outlier) {
			result = append(result, outlier)
		}
	}
	return result
}

// IsOutlier reports whether a plan belongs to the same rollout as a covered plan, but to another class.
func IsOutlier(covered, other *infrav1.NutanixPlan) bool {
	return other.Spec.Origin.Owner != "" && other.Spec.Origin.Owner == covered.Spec.Origin.Owner &&
		other.Spec.Origin.Cluster == covered.Spec.Origin.Cluster && other.Spec.Cause == covered.Spec.Cause &&
		other.Spec.ClassDigest != covered.Spec.ClassDigest
}

func planNames(plans []infrav1.NutanixPlan) []string {
	var names []string
	for _, plan := range plans {
		names = append(names, plan.Name)
	}
	return names
}

// wrapList writes a list of at most maxListed names, wrapped.
func wrapList(label string, names []string) []string {
	more := ""
	if hidden := len(names) - maxListed; hidden > 0 {
		names, more = names[:maxListed], fmt.Sprintf(" and %d more", hidden)
	}
	lines := wrap(strings.Join(names, ", ")+more, width-len(label))
	for i := range lines {
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines[i] = label + lines[i]
	}
	return lines
}
