package v3

import (
	"net/http"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// keyBody returns a category key in the format of responses, without metadata and spec.
func keyBody(c *model.CategoryKey) map[string]any {
	return map[string]any{"api_version": wire.APIVersion, "name": c.Name, "description": c.Description, "system_defined": false}
}

// valueBody returns a category value in the format of responses.
func valueBody(v *model.CategoryValue, key string) map[string]any {
	return map[string]any{"api_version": wire.APIVersion, "name": key, "value": v.Value, "description": v.Description, "system_defined": false}
}

// categoryBody is the body of a PUT request. It contains a name for a key, or a value for a value.
type categoryBody struct {
	Name        *string `json:"name"`
	Value       *string `json:"value"`
	Description *string `json:"description"`
}

func readCategory(r *http.Request, name string, sent func(categoryBody) *string) (categoryBody, error) {
	var body categoryBody
	if err := wire.Decode(r, "category", &body); err != nil {
		return body, err
	}
	if other := sent(body); other != nil && *other != name {
		return body, wire.Unprocessable("category", "%q in the body does not match %q in the URL.", *other, name)
	}
	if len(name) > model.MaxCategoryName || len(wire.OrZero(body.Description)) > model.MaxDescription {
		return body, wire.Unprocessable("category", "A category name or value has at most %d characters, a description %d.", model.MaxCategoryName, model.MaxDescription)
	}
	return body, nil
}

// key returns the category key in the path of a request. The caller must hold the mutex.
func (api *API) key(r *http.Request) (*model.CategoryKey, error) {
	name := r.PathValue("key")
	if c := api.Category(name); c != nil {
		return c, nil
	}
	return nil, wire.NotFound("category", "The category "+name)
}

// value returns the category value in the path of a request. If the value does not exist, the error has the reason that
// Prism uses only for category values. The caller must hold the mutex.
func (api *API) value(r *http.Request) (*model.CategoryKey, *model.CategoryValue, error) {
	key, err := api.key(r)
	if err != nil {
		return nil, nil, err
	}
	if v := key.Value(r.PathValue("value")); v != nil {
		return key, v, nil
	}
	return nil, nil, &wire.Error{
		Status: http.StatusNotFound, Kind: "category", Reason: wire.ReasonNameMismatch,
		Message: "Category name and value mismatch: " + key.Name + " has no value " + r.PathValue("value") + ".",
	}
}

func (api *API) getCategoryKey(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, keyBody(key), nil
}

func (api *API) putCategoryKey(r *http.Request) (int, any, error) {
	name := r.PathValue("key")
	body, err := readCategory(r, name, func(b categoryBody) *string { return b.Name })
	if err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	status := http.StatusOK
	if api.Category(name) == nil {
		status = http.StatusCreated
		api.AddCategory(inventory.Category{Key: name})
	}
	key := api.Category(name)
	key.Description = body.Description
	return status, keyBody(key), nil
}

// deleteCategoryKey deletes a category key. It returns an error if the key has values.
func (api *API) deleteCategoryKey(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	if len(key.Values.All) > 0 {
		return 0, nil, inUse("Category " + key.Name + " cannot be deleted: it has values.")
	}
	api.Categories.Remove(key)
	return http.StatusOK, nil, nil
}

// inUse returns the error response to the deletion of an entity that is in use. No public record of the real response
// was found, so this package defines the status, the reason and the message.
func inUse(text string) *wire.Error {
	return &wire.Error{Status: http.StatusUnprocessableEntity, Kind: "category", Reason: wire.ReasonInvalidRequest, Message: text}
}

func (api *API) getCategoryValue(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, value, err := api.value(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, valueBody(value, key.Name), nil
}

func (api *API) putCategoryValue(r *http.Request) (int, any, error) {
	text := r.PathValue("value")
	body, err := readCategory(r, text, func(b categoryBody) *string { return b.Value })
	if err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	status, value := http.StatusOK, key.Value(text)
	if value == nil {
		status, value = http.StatusCreated, api.NewCategoryValue(key, text)
	}
	value.Description = body.Description
	return status, valueBody(value, key.Name), nil
}

// deleteCategoryValue deletes a category value. It returns an error if the value is assigned to a VM.
func (api *API) deleteCategoryValue(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	key, value, err := api.value(r)
	if err != nil {
		return 0, nil, err
	}
	if vms := api.Assigned(key.Name, value.Value); len(vms) > 0 {
		return 0, nil, inUse("Category " + key.Name + ":" + value.Value + " cannot be deleted: it is assigned to VM " + vms[0].UUID + ".")
	}
	if policies := api.PoliciesWith(value.UUID); len(policies) > 0 {
		return 0, nil, inUse("Category " + key.Name + ":" + value.Value + " cannot be deleted: it is part of policy " + policies[0].UUID + ".")
	}
	key.Values.Remove(value)
	return http.StatusOK, nil, nil
}

func (api *API) listCategoryKeys(r *http.Request) (int, any, error) {
	return api.list(r, "category", func() ([]listItem, error) {
		items := []listItem{}
		for _, c := range api.Categories.Listed(api.Rules.Lag("category")) {
			items = append(items, listItem{uuid: c.Name, body: keyBody(c), attributes: table(map[string]string{"name": c.Name})})
		}
		return items, nil
	})
}

func (api *API) listCategoryValues(r *http.Request) (int, any, error) {
	return api.list(r, "category", func() ([]listItem, error) {
		key, err := api.key(r)
		if err != nil {
			return nil, err
		}
		items := []listItem{}
		for _, v := range key.Values.Listed(api.Rules.Lag("category")) {
			items = append(items, listItem{uuid: v.UUID, body: valueBody(v, key.Name), attributes: table(map[string]string{"name": key.Name, "value": v.Value})})
		}
		return items, nil
	})
}
