package prismsim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
)

// categoryForbidden are the characters that keys and values must not contain; $ is only forbidden as the first one.
const categoryForbidden = "/,!\"#%'()*+:;=?\\|[]^&"

// newCategoryValue makes a value of a key. Its ID is the same for the same key and value, in every API, unless that ID is
// taken.
func (e *estate) newCategoryValue(key *categoryKey, value string) *categoryValue {
	id := deriveUUID("category", key.name+"/"+value)
	if _, taken := e.categoryByID(id); taken != nil {
		id = uuid.NewString()
	}
	added := &categoryValue{uuid: id, value: value}
	key.values.add(added)
	return added
}

func (e *estate) categoryByID(id string) (*categoryKey, *categoryValue) {
	for _, key := range e.categories.all {
		if v := find(key.values.all, func(v *categoryValue) bool { return v.uuid == id }); v != nil {
			return key, v
		}
	}
	return nil, nil
}

// categoryIDs returns the IDs of the assigned categories in the order of their creation.
func (e *estate) categoryIDs(assigned assignedCategories) []string {
	ids := []string{}
	for _, key := range e.categories.all {
		for _, v := range key.values.all {
			if assigned.has(key.name, v.value) {
				ids = append(ids, v.uuid)
			}
		}
	}
	return ids
}

// v4Category gives a value of a key as a category. The caller holds the mutex.
func (api *v4API) v4Category(r *v4Request, key *categoryKey, v *categoryValue) object {
	out := typed("prism.v4.config.Category", object{
		"extId": v.uuid, "key": key.name, "value": v.value, "type": "USER", "ownerUuid": api.ownerUUID,
		"links": selfLinks(r, "config/categories/"+v.uuid),
	})
	if v.description != nil {
		out["description"] = *v.description
	}
	if r.URL.Query().Get("$expand") == expandAssociations {
		out["associations"] = api.associations(key, v)
	}
	return out
}

const expandAssociations = "associations"

// associations counts what a category is assigned to.
func (api *v4API) associations(key *categoryKey, v *categoryValue) []object {
	out := []object{}
	for _, kind := range []struct {
		name  string
		count int
	}{{"VM", len(api.assigned(key.name, v.value))}, {"CLUSTER", len(api.assignedElements(key.name, v.value))}} {
		if kind.count > 0 {
			out = append(out, typed("prism.v4.config.AssociationSummary", object{
				"categoryId": v.uuid, "count": kind.count, "resourceType": kind.name, "resourceGroup": "ENTITY",
			}))
		}
	}
	return out
}

func (e *estate) assignedElements(key, value string) []*PrismElement {
	var out []*PrismElement
	for _, pe := range e.elements {
		if slices.Contains(pe.Categories[key], value) {
			out = append(out, pe)
		}
	}
	return out
}

var categoryListing = v4Listing{
	filters: []string{"extId", "key", "value", "type", "ownerUuid", "description"},
	orders:  []string{"key", "value"},
	expands: []string{expandAssociations},
}

func (api *v4API) v4ListCategories(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items, lag := []object{}, api.rules.lag("category")
	for _, key := range api.categories.listed(lag) {
		for _, v := range key.values.listed(lag) {
			items = append(items, api.v4Category(r, key, v))
		}
	}
	api.mu.Unlock()
	return categoryListing.answer(r, items)
}

func (api *v4API) v4GetCategory(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, v := api.categoryByID(strings.ToLower(r.PathValue("extId")))
	if v == nil {
		return nil, noSuchEntity("CTGRS-50007", "Category", r.PathValue("extId"))
	}
	return &v4Answer{data: api.v4Category(r, key, v), etag: revision(0).etag()}, nil
}

func (api *v4API) v4CreateCategory(r *v4Request) (*v4Answer, error) {
	body := config.NewCategory()
	if err := r.decode(body); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"key": orZero(body.Key), "value": orZero(body.Value)} {
		if text == "" || len(text) > maxCategoryName || strings.HasPrefix(text, "$") || strings.ContainsAny(text, categoryForbidden) {
			return nil, invalidBody(name, "%q is not a category %s of at most %d allowed characters", text, name, maxCategoryName)
		}
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	if api.hasCategory(*body.Key, *body.Value) {
		return nil, &v4Error{
			status: http.StatusConflict, code: "CTGRS-50010", group: "ENTITY_ALREADY_EXISTS",
			message: "Category " + *body.Key + ":" + *body.Value + " already exists.",
		}
	}
	api.addCategory(Category{Key: *body.Key, Values: []string{*body.Value}})
	key := api.category(*body.Key)
	v := key.value(*body.Value)
	v.description = body.Description
	return &v4Answer{status: http.StatusCreated, data: api.v4Category(r, key, v), etag: revision(0).etag()}, nil
}

// v4DeleteCategory refuses a category that is assigned. A key goes with its last value.
func (api *v4API) v4DeleteCategory(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, v := api.categoryByID(strings.ToLower(r.PathValue("extId")))
	if v == nil {
		return nil, noSuchEntity("CTGRS-50007", "Category", r.PathValue("extId"))
	}
	if len(api.associations(key, v)) > 0 {
		return nil, &v4Error{
			status: http.StatusConflict, code: "CTGRS-50012", group: "CATEGORY_IN_USE",
			message: "Category " + key.name + ":" + v.value + " cannot be deleted because it is assigned.",
		}
	}
	key.values.remove(v)
	if len(key.values.all) == 0 {
		api.categories.remove(key)
	}
	return &v4Answer{status: http.StatusNoContent}, nil
}
