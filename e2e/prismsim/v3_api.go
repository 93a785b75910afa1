package prismsim

import "net/http"

const apiRoot = "/api/nutanix/v3"

// v3API serves the v3 API.
type v3API struct{ *estate }

// routes adds the operations of the v3 API.
func (api *v3API) routes(mux *http.ServeMux) {
	handle := func(pattern string, e endpoint) { mux.Handle(pattern, api.restricted(pattern, e)) }
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
		return 0, nil, &apiError{
			status: http.StatusNotFound, reason: "INVALID_URL",
			message: r.Method + " " + r.URL.Path + " is not served by this simulation.",
		}
	})
}
