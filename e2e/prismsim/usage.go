package prismsim

import "net/http"

// categoryQuery is the body of POST /category/query.
type categoryQuery struct {
	UsageType string `json:"usage_type"`
	Filter    struct {
		Type     string              `json:"type"` // CATEGORIES_MATCH_ALL, CATEGORIES_MATCH_ANY
		KindList []string            `json:"kind_list"`
		Params   map[string][]string `json:"params"`
	} `json:"category_filter"`
}

// queryCategories answers which VMs categories are applied to.
func (api *v3API) queryCategories(r *http.Request) (int, any, error) {
	var query categoryQuery
	if err := decode(r, "category", &query); err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	found := []map[string]any{}
	for _, m := range api.vms.listed(api.rules.lag("vm")) {
		if api.listable(m) && query.matches(m) && !api.rights[accountOf(r.Context())].hides("vm", m.uuid) {
			found = append(found, map[string]any{"kind": "vm", "name": m.live.Name, "uuid": m.uuid, "categories": m.categories.first()})
		}
	}
	results := []map[string]any{}
	if len(found) > 0 {
		results = append(results, map[string]any{
			"kind": "vm", "entity_any_reference_list": found, "filtered_entity_count": len(found), "total_entity_count": len(found),
		})
	}
	return http.StatusOK, snapshot(map[string]any{
		"api_version": apiVersion, "metadata": map[string]any{"total_matches": len(found), "usage_type": "APPLIED_TO"}, "results": results,
	}), nil
}

func (q *categoryQuery) matches(m *machine) bool {
	hits := 0
	for key, values := range q.Filter.Params {
		for _, value := range values {
			if m.categories.has(key, value) {
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
