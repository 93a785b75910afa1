package prismsim

import (
	"net/http"
	"slices"
)

// groupsRequest is the part of POST /groups that clients use to find storage containers.
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

// groups answers POST /groups for the entity type storage_container.
func (api *v3API) groups(r *http.Request) (int, any, error) {
	var request groupsRequest
	if err := decode(r, "groups", &request); err != nil {
		return 0, nil, err
	}
	if request.EntityType != "storage_container" {
		return 0, nil, unprocessable("groups", "entity_type %q is not served by this simulation.", request.EntityType)
	}
	keep, err := parseFilter(request.FilterCriteria)
	if err != nil {
		return 0, nil, unprocessable("groups", "Invalid filter_criteria %q: %s.", request.FilterCriteria, err)
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	rights := api.rights[accountOf(r.Context())]
	all := slices.DeleteFunc(api.records(request.EntityType), func(rec record) bool { return rights.hides(request.EntityType, rec.uuid) })
	results := []map[string]any{}
	for _, rec := range all {
		ok, err := keep(rec.attributes)
		if err != nil {
			return 0, nil, unprocessable("groups", "Invalid filter_criteria %q: %s.", request.FilterCriteria, err)
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

// project gives the requested attributes of an entity; unknown ones come without values.
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
