package plan

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Limits of a record. A record is a part of an object in the API server, so it must stay small.
const (
	maxChanges       = 64
	maxAttributes    = 64  // of one change
	maxAllAttributes = 256 // of all changes together
	maxReplacePaths  = 32
	maxValue         = 256 // characters of a value, an ID, a reason or a path in ReplacePaths
	maxAddress       = 512 // characters of an address or the path of an attribute
	cutMark          = "..."
)

// truncate cuts the record to the limits. It keeps the most disruptive changes and attributes, and counts in Omitted what it leaves out.
func (r *Record) truncate() {
	slices.SortStableFunc(r.Changes, func(a, b Change) int { return cmp.Compare(b.Disruption, a.Disruption) })
	if left := len(r.Changes) - maxChanges; left > 0 {
		r.Omitted.Changes += int32(left) //nolint:gosec // the number of resources in a workspace is small
		r.Changes = r.Changes[:maxChanges]
	}
	attributes := 0
	for i := range r.Changes {
		change := &r.Changes[i]
		keep := min(len(change.Attributes), maxAttributes, maxAllAttributes-attributes)
		attributes += keep
		r.Omitted.Attributes += int32(len(change.Attributes) - keep) //nolint:gosec // see above
		change.Attributes = append([]Attribute(nil), change.Attributes[:keep]...)
		r.cutChange(change)
	}
}

// cutChange cuts the texts of a change.
func (r *Record) cutChange(change *Change) {
	change.Address = r.cut(change.Address, maxAddress)
	change.PreviousAddress = r.cut(change.PreviousAddress, maxAddress)
	change.Reason = r.cut(change.Reason, maxValue)
	change.ImportID = r.cut(change.ImportID, maxValue)
	if left := len(change.ReplacePaths) - maxReplacePaths; left > 0 {
		r.Omitted.Attributes += int32(left) //nolint:gosec // see truncate
		change.ReplacePaths = change.ReplacePaths[:maxReplacePaths]
	}
	change.ReplacePaths = slices.Clone(change.ReplacePaths)
	for i, path := range change.ReplacePaths {
		change.ReplacePaths[i] = r.cut(path, maxValue)
	}
	for i := range change.Attributes {
		attribute := &change.Attributes[i]
		attribute.Path = r.cut(attribute.Path, maxAddress)
		for _, side := range []**string{&attribute.Before, &attribute.After} {
			if *side != nil {
				text := r.cut(**side, maxValue)
				*side = &text
			}
		}
	}
}

// cut cuts a text to a number of characters. A text that was cut ends in cutMark.
func (r *Record) cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	r.Omitted.Values++
	return string([]rune(text)[:limit-len(cutMark)]) + cutMark
}
