// Package v3 implements the v3 API.
package v3

import (
	"net/http"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const apiRoot = "/api/nutanix/v3"

// API serves the v3 API.
type API struct{ *model.Central }

// New returns the v3 API of the Prism Central e.
func New(e *model.Central) *API { return &API{e} }

// Register adds the operations of the v3 API.
func (api *API) Register(mux *http.ServeMux) {
	handle := func(pattern string, e wire.Endpoint) { mux.Handle(pattern, api.restricted(pattern, e)) }
	handle("GET "+apiRoot+"/users/me", api.getMe)
	handle("GET "+apiRoot+"/prism_central", api.getPrismCentral)
	handle("POST "+apiRoot+"/vms", api.createVM)
	handle("POST "+apiRoot+"/vms/list", api.listVMs)
	handle("GET "+apiRoot+"/vms/{uuid}", api.getVM)
	handle("PUT "+apiRoot+"/vms/{uuid}", api.updateVM)
	handle("DELETE "+apiRoot+"/vms/{uuid}", api.deleteVM)
	handle("GET "+apiRoot+"/tasks/{uuid}", api.getTask)
	handle("POST "+apiRoot+"/tasks/list", api.listTasks)
	for _, kind := range []string{"cluster", "subnet", "image", "host", "project"} {
		handle("POST "+apiRoot+"/"+kind+"s/list", api.listEntities(kind))
		handle("GET "+apiRoot+"/"+kind+"s/{uuid}", api.getEntity(kind))
	}
	handle("GET "+apiRoot+"/projects_internal/{uuid}", api.getProjectInternal)
	handle("POST "+apiRoot+"/storage_containers/list", api.listEntities("storage_container"))
	handle("POST "+apiRoot+"/groups", api.groups)
	handle("POST "+apiRoot+"/categories/list", api.listCategoryKeys)
	handle("GET "+apiRoot+"/categories/{key}", api.getCategoryKey)
	handle("PUT "+apiRoot+"/categories/{key}", api.putCategoryKey)
	handle("DELETE "+apiRoot+"/categories/{key}", api.deleteCategoryKey)
	handle("POST "+apiRoot+"/categories/{key}/list", api.listCategoryValues)
	handle("GET "+apiRoot+"/categories/{key}/{value}", api.getCategoryValue)
	handle("PUT "+apiRoot+"/categories/{key}/{value}", api.putCategoryValue)
	handle("DELETE "+apiRoot+"/categories/{key}/{value}", api.deleteCategoryValue)
	handle("POST "+apiRoot+"/category/query", api.queryCategories)
	handle("/", func(r *http.Request) (int, any, error) {
		return 0, nil, &wire.Error{
			Status: http.StatusNotFound, Reason: "INVALID_URL",
			Message: r.Method + " " + r.URL.Path + " is not served by this simulation.",
		}
	})
}

// restricted wraps next. It rejects requests for entities that are hidden from the account.
func (api *API) restricted(pattern string, next wire.Endpoint) wire.Endpoint {
	kind := model.KindOf(pattern)
	return func(r *http.Request) (int, any, error) {
		id := r.PathValue("uuid")
		if id == "" {
			id = r.PathValue("key")
		}
		if _, rights := api.SettingsFor(auth.Account(r.Context())); id != "" && rights.Hides(kind, id) {
			return 0, nil, rights.Refusal(kind, id)
		}
		return next(r)
	}
}
