package prism

import (
	"fmt"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Entity identifies an entity in Prism Central.
type Entity struct {
	UUID, Name string
}

func (e Entity) uuid() string { return e.UUID }

// identifier is a validated NutanixResourceIdentifier. Exactly one of uuid and name is set. uuid is in lower case.
type identifier struct {
	uuid, name string
}

// String returns the identifier in the format of error messages.
func (i identifier) String() string {
	if i.uuid != "" {
		return fmt.Sprintf("uuid %q", i.uuid)
	}
	return fmt.Sprintf("name %q", i.name)
}

// is reports whether the entity has the UUID or the name. equal compares names.
func (i identifier) is(entity Entity, equal func(a, b string) bool) bool {
	if i.uuid != "" {
		return i.uuid == entity.UUID
	}
	return equal(i.name, entity.Name)
}

func sameCase(a, b string) bool { return a == b }

// identify validates id. field is the name of the field that contains id, for errors.
func identify(id infrav1.NutanixResourceIdentifier, field string) (identifier, error) {
	switch {
	case id.Type == infrav1.NutanixIdentifierUUID && id.UUID != nil && *id.UUID != "":
		return identifier{uuid: strings.ToLower(*id.UUID)}, nil
	case id.Type == infrav1.NutanixIdentifierName && id.Name != nil && *id.Name != "":
		return identifier{name: *id.Name}, nil
	}
	return identifier{}, &InvalidError{Field: field, Reason: `type must be "uuid" or "name", and the field of that name must be set`}
}

// single returns the only element of matches. It returns a *NotFoundError if matches is empty, and an *AmbiguousError if it has several
// elements.
func single[T interface{ uuid() string }](matches []T, kind string, id identifier) (T, error) {
	var none T
	switch len(matches) {
	case 0:
		return none, &NotFoundError{Kind: kind, Identifier: id.String()}
	case 1:
		return matches[0], nil
	}
	uuids := make([]string, 0, len(matches))
	for _, match := range matches {
		uuids = append(uuids, match.uuid())
	}
	slices.Sort(uuids)
	return none, &AmbiguousError{Kind: kind, Identifier: id.String(), UUIDs: slices.Compact(uuids)}
}

// distinct returns the entities for which keep returns true, without duplicates. If a list changes while its pages are read, two pages
// can contain the same entity.
func distinct[T interface{ uuid() string }](entities []T, keep func(T) bool) []T {
	seen := map[string]bool{}
	var kept []T
	for _, entity := range entities {
		if keep(entity) && !seen[entity.uuid()] {
			seen[entity.uuid()] = true
			kept = append(kept, entity)
		}
	}
	return kept
}
