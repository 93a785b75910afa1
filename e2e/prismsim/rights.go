package prismsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Rights say what an account does not see. Lists leave out what is hidden. Reading, changing and deleting it is refused. The
// zero value hides nothing. Creating something that refers to what is hidden is not refused.
type Rights struct {
	// HiddenKinds are kinds of which the account sees nothing: vm, cluster, host, subnet, image, project, category,
	// storage_container, task, volume_group and so on: the names of the collections in the paths of the API, in the singular.
	HiddenKinds []string `json:"hiddenKinds,omitempty"`
	// Hidden are UUIDs of entities of any kind.
	Hidden []string `json:"hidden,omitempty"`
	// Status answers requests for what is hidden: 404 (default) or 403.
	Status int `json:"status,omitempty"`
}

func (r Rights) hides(kind, id string) bool {
	return slices.Contains(r.HiddenKinds, kind) || slices.Contains(r.Hidden, strings.ToLower(id))
}

// rightsRefusal is how v3 answers a request for what is hidden. Reason and text of 403 are this package's own.
func rightsRefusal(r Rights, kind, id string) *apiError {
	if r.Status == http.StatusForbidden {
		return &apiError{
			status: http.StatusForbidden, kind: kind, reason: "ACCESS_DENIED", message: "No permission to access the " + kind + " " + id + ".",
		}
	}
	return notFound(kind, "The "+kind+" "+id)
}

// v4RightsRefusal is how v4 answers a request for what is hidden.
func v4RightsRefusal(r Rights, kind, id string) *v4Error {
	switch {
	case r.Status == http.StatusForbidden:
		return asV4Error(rightsRefusal(r, kind, id))
	case kind == "vm":
		return noSuchVM(id)
	}
	return noSuchEntity("PLAT-10001", kind, id)
}

// SetRights replaces the rights of an account, whether or not it exists yet. The name of the account of Options.APIKey is
// "api-key".
func (c *control) SetRights(account string, rights Rights) error {
	if !slices.Contains([]int{0, http.StatusNotFound, http.StatusForbidden}, rights.Status) {
		return fmt.Errorf("setting rights of account %q: status %d is neither 404 nor 403", account, rights.Status)
	}
	rights.Hidden = slices.Clone(rights.Hidden)
	for i, id := range rights.Hidden {
		rights.Hidden[i] = strings.ToLower(id)
	}
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	if c.estate.rights == nil {
		c.estate.rights = map[string]Rights{}
	}
	c.estate.rights[account] = rights
	return nil
}

// settingsFor returns the rules, and the rights of an account.
func (e *estate) settingsFor(account string) (Rules, Rights) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rules, e.rights[account]
}

// kindOf returns the kind of the entities that a path is about: the last collection in it, in the singular.
func kindOf(path string) string {
	kind := ""
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case strings.HasPrefix(segment, "$") || segment == "list":
			return kind
		case segment == "projects_internal":
			return "project"
		case strings.HasSuffix(segment, "ies"):
			kind = strings.TrimSuffix(segment, "ies") + "y"
		case strings.HasSuffix(segment, "s"):
			kind = strings.ReplaceAll(strings.TrimSuffix(segment, "s"), "-", "_")
		}
	}
	return kind
}

// restricted refuses requests for what the account does not see.
func (api *v3API) restricted(pattern string, next endpoint) endpoint {
	kind := kindOf(pattern)
	return func(r *http.Request) (int, any, error) {
		id := r.PathValue("uuid")
		if id == "" {
			id = r.PathValue("key")
		}
		if _, rights := api.settingsFor(accountOf(r.Context())); id != "" && rights.hides(kind, id) {
			return 0, nil, rightsRefusal(rights, kind, id)
		}
		return next(r)
	}
}

// accountControl adds the control endpoints of accounts.
func (c *control) accountControl(handle func(pattern string, e endpoint)) {
	handle("PUT /sim/accounts/{name}", func(r *http.Request) (int, any, error) {
		var body struct{ Password string }
		if err := readControl(r, &body); err != nil {
			return 0, nil, err
		}
		c.SetAccount(r.PathValue("name"), body.Password)
		return http.StatusNoContent, nil, nil
	})
	handle("PUT /sim/accounts/{name}/rights", func(r *http.Request) (int, any, error) {
		var rights Rights
		if err := readControl(r, &rights); err != nil {
			return 0, nil, err
		}
		if err := c.SetRights(r.PathValue("name"), rights); err != nil {
			return 0, nil, badControl(err)
		}
		return http.StatusNoContent, nil, nil
	})
}
