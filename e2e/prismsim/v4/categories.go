package v4

import (
	"net/http"
	"strings"

	"github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// categoryForbidden contains the characters that keys and values must not contain. The character $ is forbidden only as
// the first character.
const categoryForbidden = "/,!\"#%'()*+:;=?\\|[]^&"

// categoryObject returns the category with the key and the value v. The caller must hold the mutex.
func (api *API) categoryObject(r *Request, key *model.CategoryKey, v *model.CategoryValue) Object {
	out := Typed("prism.v4.config.Category", Object{
		"extId": v.UUID, "key": key.Name, "value": v.Value, "type": "USER", "ownerUuid": api.OwnerUUID,
		"links": SelfLinks(r, "config/categories/"+v.UUID),
	})
	if v.Description != nil {
		out["description"] = *v.Description
	}
	if r.URL.Query().Get("$expand") == expandAssociations {
		out["associations"] = api.associations(key, v)
	}
	return out
}

const expandAssociations = "associations"

// associations returns, for each kind of entity or policy, the number of those to which a category is assigned.
func (api *API) associations(key *model.CategoryKey, v *model.CategoryValue) []Object {
	out := []Object{}
	for _, kind := range []struct {
		name, group string
		count       int
	}{
		{"VM", "ENTITY", len(api.Assigned(key.Name, v.Value))}, {"CLUSTER", "ENTITY", len(api.AssignedPrismElements(key.Name, v.Value))},
		{"VM_VM_ANTI_AFFINITY_POLICY", "POLICY", len(api.PoliciesWith(v.UUID))},
	} {
		if kind.count > 0 {
			out = append(out, Typed("prism.v4.config.AssociationSummary", Object{
				"categoryId": v.UUID, "count": kind.count, "resourceType": kind.name, "resourceGroup": kind.group,
			}))
		}
	}
	return out
}

var categoryListing = Listing{
	Filters: []string{"extId", "key", "value", "type", "ownerUuid", "description"},
	Orders:  []string{"key", "value"},
	Expands: []string{expandAssociations},
}

func (api *API) listCategories(r *Request) (*Response, error) {
	api.Mu.Lock()
	items, lag := []Object{}, api.Rules.Lag("category")
	for _, key := range api.Categories.Listed(lag) {
		for _, v := range key.Values.Listed(lag) {
			items = append(items, api.categoryObject(r, key, v))
		}
	}
	api.Mu.Unlock()
	return categoryListing.Respond(r, items)
}

func (api *API) getCategory(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, v := api.CategoryByID(strings.ToLower(r.PathValue("extId")))
	if v == nil {
		return nil, NoSuchEntity("CTGRS-50007", "Category", r.PathValue("extId"))
	}
	return &Response{Data: api.categoryObject(r, key, v), ETag: v.Revision.ETag()}, nil
}

func (api *API) createCategory(r *Request) (*Response, error) {
	body := config.NewCategory()
	if err := r.Decode(body); err != nil {
		return nil, err
	}
	if err := checkCategory(body); err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	if api.HasCategory(*body.Key, *body.Value) {
		return nil, categoryExists(body)
	}
	api.AddCategory(inventory.Category{Key: *body.Key, Values: []string{*body.Value}})
	key := api.Category(*body.Key)
	v := key.Value(*body.Value)
	v.Description = body.Description
	return &Response{status: http.StatusCreated, Data: api.categoryObject(r, key, v), ETag: v.Revision.ETag()}, nil
}

// checkCategory returns an error if the key or the value in the body of a request is not allowed.
func checkCategory(body *config.Category) error {
	for name, text := range map[string]string{"key": wire.OrZero(body.Key), "value": wire.OrZero(body.Value)} {
		if text == "" || len(text) > model.MaxCategoryName || strings.HasPrefix(text, "$") || strings.ContainsAny(text, categoryForbidden) {
			return InvalidBody(name, "%q is not a category %s of at most %d allowed characters", text, name, model.MaxCategoryName)
		}
	}
	return nil
}

func categoryExists(body *config.Category) *Error {
	return &Error{
		Status: http.StatusConflict, Code: "CTGRS-50010", Group: "ENTITY_ALREADY_EXISTS",
		Message: "Category " + *body.Key + ":" + *body.Value + " already exists.",
	}
}

// updateCategory changes the value and the description of a category. Entities to which the category is assigned keep
// it. The key cannot be changed. The response contains a message and not the category.
func (api *API) updateCategory(r *Request) (*Response, error) {
	body := config.NewCategory()
	if err := r.Decode(body); err != nil {
		return nil, err
	}
	if err := checkCategory(body); err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, v := api.CategoryByID(strings.ToLower(r.PathValue("extId")))
	switch {
	case v == nil:
		return nil, NoSuchEntity("CTGRS-50007", "Category", r.PathValue("extId"))
	case *body.Key != key.Name:
		return nil, InvalidBody("key", "the key of a category cannot be changed from %q to %q", key.Name, *body.Key)
	case *body.Value != v.Value && key.Value(*body.Value) != nil:
		return nil, categoryExists(body)
	}
	if err := r.IfMatch(v.Revision, false, categoryMismatch); err != nil {
		return nil, err
	}
	api.ChangeCategory(key, v, *body.Value, body.Description)
	message := (&Error{Code: "CTGRS-10001", Message: "Category is updated."}).appMessage("prism")
	message["severity"] = "INFO"
	return &Response{Data: []Object{message}}, nil
}

// categoryMismatch returns the error response to an outdated ETag. This package defines the code and the group.
func categoryMismatch(sent, current string) *Error {
	return &Error{
		Status: http.StatusPreconditionFailed, Code: "CTGRS-50020", Group: "CATEGORY_ETAG_MISMATCH", Message: MismatchText(sent, current) + ".",
	}
}

// deleteCategory deletes a category. It returns an error if the category is assigned to an entity. If the value is the
// last value of its key, deleteCategory also deletes the key.
func (api *API) deleteCategory(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, v := api.CategoryByID(strings.ToLower(r.PathValue("extId")))
	if v == nil {
		return nil, NoSuchEntity("CTGRS-50007", "Category", r.PathValue("extId"))
	}
	if len(api.associations(key, v)) > 0 {
		return nil, &Error{
			Status: http.StatusConflict, Code: "CTGRS-50012", Group: "CATEGORY_IN_USE",
			Message: "Category " + key.Name + ":" + v.Value + " cannot be deleted because it is assigned.",
		}
	}
	key.Values.Remove(v)
	if len(key.Values.All) == 0 {
		api.Categories.Remove(key)
	}
	return &Response{status: http.StatusNoContent}, nil
}
