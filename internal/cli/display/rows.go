package display

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// unknownValue is what Terraform shows for a value that is known only after the apply.
const unknownValue = "(known after apply)"

// row is what people see of one attribute, or of several attributes that belong together, such as those of a disk.
type row struct {
	label, before, after string
	disruption           infrav1.PlanDisruption
	order                int
	removed              bool // with the whole resource
}

// value returns the change in one line.
func (r row) value() string {
	switch {
	case r.before == "", r.before == r.after: // an edit of the state names the resource by an ID that stays
		return printable(r.after)
	case r.removed && r.after == "":
		return printable(r.before)
	case r.after == "":
		return printable(r.before) + " -> (none)"
	default:
		return printable(r.before) + " -> " + printable(r.after)
	}
}

// group is a set of attributes that one row shows.
type group struct {
	*vmGroup
	index      int // of the list element, or -1
	attributes []infrav1.PlannedAttribute
}

// rowsOf returns the rows of a change, the most disruptive first. Every attribute is part of a row, except those whose values are known
// only after the apply and that have no value now. unknown is their number.
func rowsOf(change infrav1.PlannedChange, names Names) (rows []row, unknown int) {
	var groups []*group
	for _, attribute := range change.Attributes {
		if attribute.Unknown && attribute.Before == nil {
			unknown++
			continue
		}
		groups = addTo(groups, resourceType(change.Address), attribute)
	}
	removed := slices.Contains(change.Actions, "delete") || slices.Contains(change.Actions, "forget")
	for _, group := range groups {
		for _, row := range group.rows(names) {
			row.removed = removed
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(severity(b.disruption)-severity(a.disruption), a.order-b.order, strings.Compare(a.label, b.label))
	})
	return rows, unknown
}

// addTo adds an attribute to its group. An attribute that no group describes is a group of its own.
func addTo(groups []*group, resource string, attribute infrav1.PlannedAttribute) []*group {
	description, index := describedBy(resource, attribute.Path)
	if description != nil {
		for _, group := range groups {
			if group.vmGroup == description && group.index == index {
				group.attributes = append(group.attributes, attribute)
				return groups
			}
		}
	}
	return append(groups, &group{vmGroup: description, index: index, attributes: []infrav1.PlannedAttribute{attribute}})
}

// rows returns the row of a group. If the description of the group does not show a difference, rows returns a row for each attribute.
func (g *group) rows(names Names) []row {
	if g.vmGroup == nil {
		return plainRows(g.attributes, lastOrder)
	}
	result := row{label: g.label, order: g.order}
	if g.index >= 0 {
		result.label = fmt.Sprintf("%s %d", g.label, g.index)
	}
	for _, attribute := range g.attributes {
		if attribute.Unknown {
			return plainRows(g.attributes, g.order)
		}
		result.disruption = worse(result.disruption, attribute.Disruption)
	}
	result.before = g.describe(g.values(before), names)
	result.after = g.describe(g.values(after), names)
	if result.before == result.after {
		return plainRows(g.attributes, g.order)
	}
	return []row{result}
}

// values returns the nested values of a group: a list element, or an object with the attributes of the group.
func (g *group) values(s side) any {
	root := nested(g.attributes, s, asText)
	if g.index >= 0 {
		return element(root, parsePath(g.attributes[0].Path)[0].name, g.index)
	}
	return root
}

func plainRows(attributes []infrav1.PlannedAttribute, order int) []row {
	var rows []row
	for _, attribute := range attributes {
		result := row{label: attribute.Path, disruption: attribute.Disruption, order: order}
		result.before, _ = before.text(attribute)
		result.after, _ = after.text(attribute)
		if attribute.Unknown {
			result.after = unknownValue
		}
		rows = append(rows, result)
	}
	return rows
}

func worse(a, b infrav1.PlanDisruption) infrav1.PlanDisruption {
	if severity(b) > severity(a) {
		return b
	}
	return a
}
