package prism

import (
	"fmt"
	"slices"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Entity is an entity in Prism Central.
type Entity struct {
	UUID, Name string
}

// reference is a reference of the v3 API to another entity.
type reference struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// intent is an entity in the form that the documentation of the v3 API calls an intent. R is the type of status.resources.
type intent[R any] struct {
	Metadata struct {
		UUID         string            `json:"uuid"`
		Name         string            `json:"name"`
		CreationTime time.Time         `json:"creation_time"`
		Categories   map[string]string `json:"categories"`
		// CategoriesMapping contains all values of a key, Categories only one of them.
		CategoriesMapping map[string][]string `json:"categories_mapping"`
	} `json:"metadata"`
	Spec struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"spec"`
	Status struct {
		Name                 string      `json:"name"`
		Description          string      `json:"description"`
		State                string      `json:"state"`
		ClusterReference     reference   `json:"cluster_reference"`
		ClusterReferenceList []reference `json:"cluster_reference_list"`
		Resources            R           `json:"resources"`
	} `json:"status"`
}

// name returns the current name in status, otherwise the requested name in spec.
func (i intent[R]) name() string {
	for _, name := range []string{i.Status.Name, i.Spec.Name, i.Metadata.Name} {
		if name != "" {
			return name
		}
	}
	return ""
}

func (i intent[R]) entity() Entity {
	return Entity{UUID: strings.ToLower(i.Metadata.UUID), Name: i.name()}
}

// beingDeleted reports whether the entity is being deleted: its state begins with DELETE.
func (i intent[R]) beingDeleted() bool {
	return strings.HasPrefix(i.Status.State, "DELETE")
}

// identifier is a validated NutanixResourceIdentifier. Exactly one of uuid (lower case) and name is set.
type identifier struct {
	uuid, name string
}

// String returns the identifier as errors show it.
func (i identifier) String() string {
	if i.uuid != "" {
		return fmt.Sprintf("uuid %q", i.uuid)
	}
	return fmt.Sprintf("name %q", i.name)
}

// identify validates an identifier. field is the name of its field in errors.
func identify(id infrav1.NutanixResourceIdentifier, field string) (identifier, error) {
	switch {
	case id.Type == infrav1.NutanixIdentifierUUID && id.UUID != nil && *id.UUID != "":
		return identifier{uuid: strings.ToLower(*id.UUID)}, nil
	case id.Type == infrav1.NutanixIdentifierName && id.Name != nil && *id.Name != "":
		return identifier{name: *id.Name}, nil
	}
	return identifier{}, &InvalidError{Field: field, Reason: `type must be "uuid" or "name", and the field of that name must be set`}
}

// single returns the only match, or a *NotFoundError or *AmbiguousError.
func single[T any](matches []T, uuid func(T) string, kind string, id identifier) (T, error) {
	var none T
	switch len(matches) {
	case 0:
		return none, &NotFoundError{Kind: kind, Identifier: id.String()}
	case 1:
		return matches[0], nil
	}
	uuids := make([]string, 0, len(matches))
	for _, match := range matches {
		uuids = append(uuids, uuid(match))
	}
	slices.Sort(uuids)
	return none, &AmbiguousError{Kind: kind, Identifier: id.String(), UUIDs: slices.Compact(uuids)}
}

// distinct returns the entities for which keep returns true, each once. A list that changes while it is read can contain an entity
// on two pages.
func distinct[R any](entities []intent[R], keep func(intent[R]) bool) []intent[R] {
	seen := map[string]bool{}
	var kept []intent[R]
	for _, entity := range entities {
		if keep(entity) && !seen[entity.Metadata.UUID] {
			seen[entity.Metadata.UUID] = true
			kept = append(kept, entity)
		}
	}
	return kept
}

func uuidOf[R any](entity intent[R]) string { return strings.ToLower(entity.Metadata.UUID) }
