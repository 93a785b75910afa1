package prismsim

import "net/http"

const (
	maxCategoryName = 64
	maxDescription  = 1000
)

// categoryKey is a category with its values in order of creation.
type categoryKey struct {
	name        string
	description *string
	values      collection[categoryValue]
}

type categoryValue struct {
	uuid        string // of the v4 API
	value       string
	description *string
}

func (e *estate) category(name string) *categoryKey {
	return find(e.categories.all, func(c *categoryKey) bool { return c.name == name })
}

func (c *categoryKey) value(value string) *categoryValue {
	if c == nil {
		return nil
	}
	return find(c.values.all, func(v *categoryValue) bool { return v.value == value })
}

func (e *estate) hasCategory(key, value string) bool { return e.category(key).value(value) != nil }

func (e *estate) addCategory(c Category) {
	key := e.category(c.Key)
	if key == nil {
		key = &categoryKey{name: c.Key}
		e.categories.add(key)
	}
	if c.Description != "" {
		key.description = new(c.Description)
	}
	for _, v := range c.Values {
		if key.value(v) == nil {
			e.newCategoryValue(key, v)
		}
	}
}

// exportCategories returns all keys with their values, in order of creation.
func (e *estate) exportCategories() []Category {
	out := []Category{}
	for _, key := range e.categories.all {
		c := Category{Key: key.name, Description: orZero(key.description), Values: []string{}}
		for _, v := range key.values.all {
			c.Values = append(c.Values, v.value)
		}
		out = append(out, c)
	}
	return out
}

// The answers to category requests are flat: no metadata, no spec.
func keyBody(c *categoryKey) map[string]any {
	return map[string]any{"api_version": apiVersion, "name": c.name, "description": c.description, "system_defined": false}
}

func valueBody(v *categoryValue, key string) map[string]any {
	return map[string]any{"api_version": apiVersion, "name": key, "value": v.value, "description": v.description, "system_defined": false}
}

// categoryBody is what PUT sends: name for a key, value for a value.
type categoryBody struct {
	Name        *string `json:"name"`
	Value       *string `json:"value"`
	Description *string `json:"description"`
}

func readCategory(r *http.Request, name string, sent func(categoryBody) *string) (categoryBody, error) {
	var body categoryBody
	if err := decode(r, "category", &body); err != nil {
		return body, err
	}
	if other := sent(body); other != nil && *other != name {
		return body, unprocessable("category", "%q in the body does not match %q in the URL.", *other, name)
	}
	if len(name) > maxCategoryName || len(orZero(body.Description)) > maxDescription {
		return body, unprocessable("category", "A category name or value has at most %d characters, a description %d.", maxCategoryName, maxDescription)
	}
	return body, nil
}

// key finds the category key of a request; the caller holds the mutex.
func (api *v3API) key(r *http.Request) (*categoryKey, error) {
	name := r.PathValue("key")
	if c := api.category(name); c != nil {
		return c, nil
	}
	return nil, notFound("category", "The category "+name)
}

// value finds the category value of a request. Prism names a value that is not there by a reason of its own.
func (api *v3API) value(r *http.Request) (*categoryKey, *categoryValue, error) {
	key, err := api.key(r)
	if err != nil {
		return nil, nil, err
	}
	if v := key.value(r.PathValue("value")); v != nil {
		return key, v, nil
	}
	return nil, nil, &apiError{
		status: http.StatusNotFound, kind: "category", reason: reasonNameMismatch,
		message: "Category name and value mismatch: " + key.name + " has no value " + r.PathValue("value") + ".",
	}
}

func (api *v3API) getCategoryKey(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, keyBody(key), nil
}

func (api *v3API) putCategoryKey(r *http.Request) (int, any, error) {
	name := r.PathValue("key")
	body, err := readCategory(r, name, func(b categoryBody) *string { return b.Name })
	if err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	status := http.StatusOK
	if api.category(name) == nil {
		status = http.StatusCreated
		api.addCategory(Category{Key: name})
	}
	key := api.category(name)
	key.description = body.Description
	return status, keyBody(key), nil
}

// deleteCategoryKey refuses a key that has values.
func (api *v3API) deleteCategoryKey(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	if len(key.values.all) > 0 {
		return 0, nil, inUse("Category " + key.name + " cannot be deleted: it has values.")
	}
	api.categories.remove(key)
	return http.StatusOK, nil, nil
}

// inUse refuses a deletion. No public record of the real body was found; status, reason and text are this package's own.
func inUse(text string) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, kind: "category", reason: reasonInvalidRequest, message: text}
}

func (api *v3API) getCategoryValue(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, value, err := api.value(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, valueBody(value, key.name), nil
}

func (api *v3API) putCategoryValue(r *http.Request) (int, any, error) {
	text := r.PathValue("value")
	body, err := readCategory(r, text, func(b categoryBody) *string { return b.Value })
	if err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	key, err := api.key(r)
	if err != nil {
		return 0, nil, err
	}
	status, value := http.StatusOK, key.value(text)
	if value == nil {
		status, value = http.StatusCreated, api.newCategoryValue(key, text)
	}
	value.description = body.Description
	return status, valueBody(value, key.name), nil
}

// deleteCategoryValue refuses a value that is assigned to a VM.
func (api *v3API) deleteCategoryValue(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	key, value, err := api.value(r)
	if err != nil {
		return 0, nil, err
	}
	if vms := api.assigned(key.name, value.value); len(vms) > 0 {
		return 0, nil, inUse("Category " + key.name + ":" + value.value + " cannot be deleted: it is assigned to VM " + vms[0].uuid + ".")
	}
	key.values.remove(value)
	return http.StatusOK, nil, nil
}

// assigned gives the VMs of a category.
func (e *estate) assigned(key, value string) []*machine {
	var out []*machine
	for _, m := range e.vms.all {
		if m.categories.has(key, value) {
			out = append(out, m)
		}
	}
	return out
}

func (api *v3API) listCategoryKeys(r *http.Request) (int, any, error) {
	return api.list(r, "category", func() ([]listItem, error) {
		items := []listItem{}
		for _, c := range api.categories.listed(api.rules.lag("category")) {
			items = append(items, listItem{uuid: c.name, body: keyBody(c), attributes: table(map[string]string{"name": c.name})})
		}
		return items, nil
	})
}

func (api *v3API) listCategoryValues(r *http.Request) (int, any, error) {
	return api.list(r, "category", func() ([]listItem, error) {
		key, err := api.key(r)
		if err != nil {
			return nil, err
		}
		items := []listItem{}
		for _, v := range key.values.listed(api.rules.lag("category")) {
			items = append(items, listItem{uuid: v.uuid, body: valueBody(v, key.name), attributes: table(map[string]string{"name": key.name, "value": v.value})})
		}
		return items, nil
	})
}
