package v3

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const (
	defaultLength = 20
	maxLength     = 500
)

// listRequest is the body of every POST .../list.
type listRequest struct {
	Kind          string `json:"kind"`
	Filter        string `json:"filter"`
	Length        *int   `json:"length"`
	Offset        *int   `json:"offset"`
	SortAttribute string `json:"sort_attribute"`
	SortOrder     string `json:"sort_order"`
}

// listItem is an entity of a list. It consists of attributes, for filtering and sorting, and a body.
type listItem struct {
	uuid       string
	attributes attributes
	body       any
}

// list handles a list request. gather returns the items in their default order. list holds the mutex while it gathers
// and marshals the items, but not while it reads the request.
func (api *API) list(r *http.Request, kind string, gather func() ([]listItem, error)) (int, any, error) {
	var request listRequest
	if err := wire.Decode(r, kind, &request); err != nil {
		return 0, nil, err
	}
	if err := request.check(kind); err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	items, err := gather()
	if err != nil {
		return 0, nil, err
	}
	rights := api.Rights[auth.Account(r.Context())]
	items = slices.DeleteFunc(items, func(item listItem) bool { return rights.Hides(kind, item.uuid) })
	return request.response(r, kind, items, api.Rules)
}

func (l *listRequest) response(r *http.Request, kind string, items []listItem, rules model.Rules) (int, any, error) {
	keep, err := parseFilter(l.Filter)
	if err != nil {
		return 0, nil, wire.Unprocessable(kind, "Invalid filter %q: %s.", l.Filter, err)
	}
	matches := []listItem{}
	for _, item := range items {
		ok, err := keep(item.attributes)
		if err != nil {
			return 0, nil, wire.Unprocessable(kind, "Invalid filter %q: %s.", l.Filter, err)
		}
		if ok {
			matches = append(matches, item)
		}
	}
	if err := l.sort(kind, matches); err != nil {
		return 0, nil, err
	}
	offset := min(wire.OrZero(l.Offset), len(matches))
	length := defaultLength
	if l.Length != nil {
		length = *l.Length
	}
	page := matches[offset:min(offset+length, len(matches))]
	if fault := fault.Of(r.Context()); fault != nil && fault.Half {
		page = page[:(len(page)+1)/2]
	}
	entities := make([]json.RawMessage, 0, len(page))
	for _, item := range page {
		entities = append(entities, wire.Marshal(item.body))
	}
	return http.StatusOK, map[string]any{
		"api_version": wire.APIVersion, "metadata": l.output(kind, rules.Total(len(matches)), len(page)), "entities": entities,
	}, nil
}

func (l *listRequest) check(kind string) error {
	switch {
	case l.Kind != "" && l.Kind != kind:
		return wire.Unprocessable(kind, "kind: %q is not one of ['%s'].", l.Kind, kind)
	case l.Length != nil && (*l.Length < 0 || *l.Length > maxLength):
		return wire.Unprocessable(kind, "length: %d is not between 0 and the maximum of %d.", *l.Length, maxLength)
	case wire.OrZero(l.Offset) < 0:
		return wire.Unprocessable(kind, "offset: %d is less than the minimum of 0.", *l.Offset)
	case !slices.Contains([]string{"", "ASCENDING", "DESCENDING"}, l.SortOrder):
		return wire.Unprocessable(kind, "sort_order: %q is not one of ['ASCENDING', 'DESCENDING'].", l.SortOrder)
	}
	return nil
}

func (l *listRequest) sort(kind string, items []listItem) error {
	if l.SortAttribute == "" {
		return nil
	}
	key := func(item listItem) string {
		values, _ := item.attributes(l.SortAttribute)
		return strings.Join(values, ",")
	}
	for _, item := range items {
		if _, known := item.attributes(l.SortAttribute); !known {
			return wire.Unprocessable(kind, "sort_attribute: unknown attribute %q.", l.SortAttribute)
		}
	}
	slices.SortStableFunc(items, func(a, b listItem) int {
		order := wire.CompareValues(key(a), key(b))
		if l.SortOrder == "DESCENDING" {
			return -order
		}
		return order
	})
	return nil
}

func (l *listRequest) output(kind string, total, length int) map[string]any {
	out := map[string]any{"kind": kind, "total_matches": total, "length": length, "offset": wire.OrZero(l.Offset)}
	for name, value := range map[string]string{"filter": l.Filter, "sort_attribute": l.SortAttribute, "sort_order": l.SortOrder} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// table returns attributes with the fixed values values.
func table(values map[string]string) attributes {
	return func(name string) ([]string, bool) {
		v, ok := values[name]
		return []string{v}, ok
	}
}
