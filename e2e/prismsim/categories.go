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
		key.description = ptr(c.Description)
	}
	for _, v := range c.Values {
		if key.value(v) == nil {
			e.newCategoryValue(key, v)
		}
	}
}

// The answers to category requests are flat: no metadata, no spec.
func (c *categoryKey) answer() map[string]any {
	return map[string]any{"api_version": apiVersion, "name": c.name, "description": c.description, "system_defined": false}
}

func (v *categoryValue) answer(key string) map[string]any {
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
func (s *Server) key(r *http.Request) (*categoryKey, error) {
	name := r.PathValue("key")
	if c := s.estate.category(name); c != nil {
		return c, nil
	}
	return nil, notFound("category", "The category "+name)
}

// value finds the category value of a request. Prism names a value that is not there by a reason of its own.
func (s *Server) value(r *http.Request) (*categoryKey, *categoryValue, error) {
	key, err := s.key(r)
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

func (s *Server) getCategoryKey(r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.key(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, key.answer(), nil
}

func (s *Server) putCategoryKey(r *http.Request) (int, any, error) {
	name := r.PathValue("key")
	body, err := readCategory(r, name, func(b categoryBody) *string { return b.Name })
	if err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	if s.estate.category(name) == nil {
		status = http.StatusCreated
		s.estate.addCategory(Category{Key: name})
	}
	key := s.estate.category(name)
	key.description = body.Description
	return status, key.answer(), nil
}

// deleteCategoryKey refuses a key that has values.
func (s *Server) deleteCategoryKey(r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.key(r)
	if err != nil {
		return 0, nil, err
	}
	if len(key.values.all) > 0 {
		return 0, nil, inUse("Category " + key.name + " cannot be deleted: it has values.")
	}
	s.estate.categories.remove(key)
	return http.StatusOK, nil, nil
}

// inUse refuses a deletion. No public record of the real body was found; status, reason and text are this package's own.
func inUse(text string) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, kind: "category", reason: reasonInvalidRequest, message: text}
}

func (s *Server) getCategoryValue(r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, value, err := s.value(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, value.answer(key.name), nil
}

func (s *Server) putCategoryValue(r *http.Request) (int, any, error) {
	text := r.PathValue("value")
	body, err := readCategory(r, text, func(b categoryBody) *string { return b.Value })
	if err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.key(r)
	if err != nil {
		return 0, nil, err
	}
	status, value := http.StatusOK, key.value(text)
	if value == nil {
		status, value = http.StatusCreated, s.estate.newCategoryValue(key, text)
	}
	value.description = body.Description
	return status, value.answer(key.name), nil
}

// deleteCategoryValue refuses a value that is assigned to a VM.
func (s *Server) deleteCategoryValue(r *http.Request) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, value, err := s.value(r)
	if err != nil {
		return 0, nil, err
	}
	if vms := s.estate.assigned(key.name, value.value); len(vms) > 0 {
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

func (s *Server) listCategoryKeys(r *http.Request) (int, any, error) {
	return s.list(r, "category", func() ([]listItem, error) {
		items := []listItem{}
		for _, c := range s.estate.categories.listed(s.estate.rules.lag("category")) {
			items = append(items, listItem{uuid: c.name, body: c.answer(), attributes: table(map[string]string{"name": c.name})})
		}
		return items, nil
	})
}

func (s *Server) listCategoryValues(r *http.Request) (int, any, error) {
	return s.list(r, "category", func() ([]listItem, error) {
		key, err := s.key(r)
		if err != nil {
			return nil, err
		}
		items := []listItem{}
		for _, v := range key.values.listed(s.estate.rules.lag("category")) {
			items = append(items, listItem{uuid: v.uuid, body: v.answer(key.name), attributes: table(map[string]string{"name": key.name, "value": v.value})})
		}
		return items, nil
	})
}
