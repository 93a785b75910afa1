package display

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Diff writes all recorded attributes of a plan, with the paths and values of Terraform.
func Diff(out io.Writer, style Style, plan *infrav1.NutanixPlan) error {
	for _, change := range plan.Spec.Changes {
		sign, color := symbol(change.Actions)
		lines := append([]string{style.paint(color, sign) + " " + printable(change.Address) + "  (" + strings.Join(change.Actions, ", ") + ")"}, notes(change)...)
		for _, line := range lines {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		table := table{style: style, indent: "    "}
		for _, attribute := range change.Attributes {
			table.add(cell{text: attribute.Path}, cell{text: plainRows([]infrav1.PlannedAttribute{attribute}, 0)[0].value()},
				cell{effect(attribute.Disruption), colorOf(attribute.Disruption)})
		}
		if err := table.write(out); err != nil {
			return err
		}
	}
	if text := omitted(plan.Spec.Omitted); text != "" {
		if _, err := fmt.Fprintln(out, "Omitted: "+text); err != nil {
			return err
		}
	}
	return nil
}

// Difference is an attribute that two plans set to different values.
type Difference struct {
	Address, Path string
	First, Second string
}

// Compare returns the differences between the changes of two plans, in the order of their addresses and paths.
func Compare(first, second *infrav1.NutanixPlan) []Difference {
	left, right := flat(first), flat(second)
	all := maps.Clone(left)
	maps.Copy(all, right)
	var differences []Difference
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		if left[key] != right[key] {
			differences = append(differences, Difference{key[0], key[1], left[key], right[key]})
		}
	}
	return differences
}

// flat returns what a plan does by address and path. The path of the actions is empty.
func flat(plan *infrav1.NutanixPlan) map[[2]string]string {
	result := map[[2]string]string{}
	for _, change := range plan.Spec.Changes {
		result[[2]string{change.Address, "actions"}] = strings.Join(change.Actions, ", ")
		for _, row := range plainRows(change.Attributes, 0) {
			result[[2]string{change.Address, row.label}] = row.value()
		}
	}
	return result
}

// WriteDifferences writes the differences between two plans as a unified diff writes lines.
func WriteDifferences(out io.Writer, style Style, first, second *infrav1.NutanixPlan, differences []Difference) error {
	lines := []string{style.paint(red, "--- "+first.Name), style.paint(green, "+++ "+second.Name)}
	address := ""
	for _, difference := range differences {
		if difference.Address != address {
			address = difference.Address
			lines = append(lines, "  "+printable(address))
		}
		if difference.First != "" {
			lines = append(lines, style.paint(red, "-   "+printable(difference.Path)+": "+difference.First))
		}
		if difference.Second != "" {
			lines = append(lines, style.paint(green, "+   "+printable(difference.Path)+": "+difference.Second))
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
