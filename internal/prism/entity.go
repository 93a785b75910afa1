package prism

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Entity identifies an entity in Prism Central.
type Entity struct {
	UUID, Name string
}

// reference is a reference to another entity in the v3 API.
type reference struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// intent is an entity of the v3 API. The documentation of the API calls this format an intent. R is the type of status.resources.
type intent[R any] struct {
	Metadata struct {
		UUID         string            `json:"uuid"`
		Name         string            `json:"name"`
		CreationTime time.Time         `json:"creation_time"`
		Categories   map[string]string `json:"categories"`
		// CategoriesMapping contains all values of each key. Categories contains only one value of each key.
		CategoriesMapping map[string][]string `json:"categories_mapping"`
	} `json:"metadata"`
	Spec   specification `json:"spec"`
	Status struct {
		Name                 string      `json:"name"`
		Description          string      `json:"description"`
		State                string      `json:"state"`
		ClusterReference     reference   `json:"cluster_reference"`
		ClusterReferenceList []reference `json:"cluster_reference_list"`
		Resources            R           `json:"resources"`
	} `json:"status"`
}

// specification is the spec of an entity.
type specification struct {
	Name, Description string
	raw               json.RawMessage
}

func (s *specification) UnmarshalJSON(data []byte) error {
	var fields struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	s.Name, s.Description, s.raw = fields.Name, fields.Description, slices.Clone(data)
	return nil
}

// name returns the current name from status. If there is none, it returns the requested name from spec.
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

// beingDeleted reports whether the entity is being deleted, which is the case if its state begins with DELETE.
func (i intent[R]) beingDeleted() bool {
	return strings.HasPrefix(i.Status.State, "DELETE")
}

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

// distinct returns the entities for which keep returns true, without duplicates. If a list changes while its pages are read, two pages
// can contain the same entity.
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
