package v3

import (
	"net/http"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// groupsRequest contains the fields of POST /groups that clients use to find storage containers.
type groupsRequest struct {
	EntityType       string            `json:"entity_type"`
	FilterCriteria   string            `json:"filter_criteria"`
	EntityIDs        []string          `json:"entity_ids"`
	MemberCount      *int              `json:"group_member_count"`
	MemberOffset     int               `json:"group_member_offset"`
	MemberAttributes []groupsAttribute `json:"group_member_attributes"`
}

type groupsAttribute struct {
	Attribute string `json:"attribute"`
}

// groups handles POST /groups for the entity type storage_container.
func (api *API) groups(r *http.Request) (int, any, error) {
	var request groupsRequest
	if err := wire.Decode(r, "groups", &request); err != nil {
		return 0, nil, err
	}
	if request.EntityType != "storage_container" {
		return 0, nil, wire.Unprocessable("groups", "entity_type %q is not served by this simulation.", request.EntityType)
	}
	keep, err := parseFilter(request.FilterCriteria)
	if err != nil {
		return 0, nil, wire.Unprocessable("groups", "Invalid filter_criteria %q: %s.", request.FilterCriteria, err)
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	rights := api.Rights[auth.Account(r.Context())]
	all := slices.DeleteFunc(api.records(request.EntityType), func(rec record) bool { return rights.Hides(request.EntityType, rec.uuid) })
	results := []map[string]any{}
	for _, rec := range all {
		ok, err := keep(rec.attributes)
		if err != nil {
			return 0, nil, wire.Unprocessable("groups", "Invalid filter_criteria %q: %s.", request.FilterCriteria, err)
		}
		if ok && request.includes(rec.uuid) {
			results = append(results, request.project(rec))
		}
	}
	matched := len(results)
	results = results[min(request.MemberOffset, matched):]
	if request.MemberCount != nil {
		results = results[:min(*request.MemberCount, len(results))]
	}
	groups := []map[string]any{}
	if matched > 0 {
		groups = append(groups, map[string]any{"entity_results": results, "total_entity_count": matched, "group_by_column_value": ""})
	}
	return http.StatusOK, map[string]any{
		"entity_type": request.EntityType, "group_results": groups, "filtered_group_count": len(groups), "total_group_count": 1,
		"filtered_entity_count": matched, "total_entity_count": len(all),
	}, nil
}

func (g *groupsRequest) includes(id string) bool {
	return len(g.EntityIDs) == 0 || slices.Contains(g.EntityIDs, id)
}

// project returns the requested attributes of an entity. An unknown attribute has no values.
func (g *groupsRequest) project(rec record) map[string]any {
	data := []map[string]any{}
	for _, a := range g.MemberAttributes {
		values := []map[string]any{}
		if found, ok := rec.attributes(a.Attribute); ok {
			values = append(values, map[string]any{"time": rec.body.Metadata.CreationTime.UnixMicro(), "values": found})
		}
		data = append(data, map[string]any{"name": a.Attribute, "values": values})
	}
	return map[string]any{"entity_id": rec.uuid, "data": data}
}

// categoryQuery is the body of POST /category/query.
type categoryQuery struct {
	UsageType string `json:"usage_type"`
	Filter    struct {
		Type     string              `json:"type"` // CATEGORIES_MATCH_ALL, CATEGORIES_MATCH_ANY
		KindList []string            `json:"kind_list"`
		Params   map[string][]string `json:"params"`
	} `json:"category_filter"`
}

// queryCategories handles POST /category/query. It returns the VMs to which the categories in the request are assigned.
func (api *API) queryCategories(r *http.Request) (int, any, error) {
	var query categoryQuery
	if err := wire.Decode(r, "category", &query); err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found := []map[string]any{}
	for _, m := range api.VMs.Listed(api.Rules.Lag("vm")) {
		if api.Listable(m) && query.matches(m) && !api.Rights[auth.Account(r.Context())].Hides("vm", m.UUID) {
			found = append(found, map[string]any{"kind": "vm", "name": m.Live.Name, "uuid": m.UUID, "categories": m.Categories.First()})
		}
	}
	results := []map[string]any{}
	if len(found) > 0 {
		results = append(results, map[string]any{
			"kind": "vm", "entity_any_reference_list": found, "filtered_entity_count": len(found), "total_entity_count": len(found),
		})
	}
	return http.StatusOK, wire.Marshal(map[string]any{
		"api_version": wire.APIVersion, "metadata": map[string]any{"total_matches": len(found), "usage_type": "APPLIED_TO"}, "results": results,
	}), nil
}

func (q *categoryQuery) matches(m *model.VM) bool {
	hits := 0
	for key, values := range q.Filter.Params {
		for _, value := range values {
			if m.Categories.Has(key, value) {
				hits++
				break
			}
		}
	}
	if q.Filter.Type == "CATEGORIES_MATCH_ANY" {
		return hits > 0
	}
	return hits > 0 && hits == len(q.Filter.Params)
}
