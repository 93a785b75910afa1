package prismsim

import "net/http"

const apiRoot = "/api/nutanix/v3"

// routes puts journal, faults and authentication around the API, in this order: a rate limiter stands in front of
// authentication. The control endpoints under /sim/ are authenticated, never journalled and never faulty.
func (s *Server) routes() http.Handler {
	api := http.NewServeMux()
	handle := func(pattern string, e endpoint) { api.Handle(pattern, s.restricted(pattern, e)) }
	handle("GET "+apiRoot+"/users/me", s.getMe)
	handle("GET "+apiRoot+"/prism_central", s.getPrismCentral)
	handle("POST "+apiRoot+"/vms", s.createVM)
	handle("POST "+apiRoot+"/vms/list", s.listVMs)
	handle("GET "+apiRoot+"/vms/{uuid}", s.getVM)
	handle("PUT "+apiRoot+"/vms/{uuid}", s.updateVM)
	handle("DELETE "+apiRoot+"/vms/{uuid}", s.deleteVM)
	handle("GET "+apiRoot+"/tasks/{uuid}", s.getTask)
	handle("POST "+apiRoot+"/tasks/list", s.listTasks)
	for _, kind := range []string{"cluster", "subnet", "image", "host", "project"} {
		handle("POST "+apiRoot+"/"+kind+"s/list", s.listEntities(kind))
		handle("GET "+apiRoot+"/"+kind+"s/{uuid}", s.getEntity(kind))
	}
	handle("GET "+apiRoot+"/projects_internal/{uuid}", s.getProjectInternal)
	handle("POST "+apiRoot+"/storage_containers/list", s.listEntities("storage_container"))
	handle("POST "+apiRoot+"/groups", s.groups)
	handle("POST "+apiRoot+"/categories/list", s.listCategoryKeys)
	handle("GET "+apiRoot+"/categories/{key}", s.getCategoryKey)
	handle("PUT "+apiRoot+"/categories/{key}", s.putCategoryKey)
	handle("DELETE "+apiRoot+"/categories/{key}", s.deleteCategoryKey)
	handle("POST "+apiRoot+"/categories/{key}/list", s.listCategoryValues)
	handle("GET "+apiRoot+"/categories/{key}/{value}", s.getCategoryValue)
	handle("PUT "+apiRoot+"/categories/{key}/{value}", s.putCategoryValue)
	handle("DELETE "+apiRoot+"/categories/{key}/{value}", s.deleteCategoryValue)
	handle("POST "+apiRoot+"/category/query", s.queryCategories)
	s.v4Routes(api)
	handle("/", func(r *http.Request) (int, any, error) {
		return 0, nil, &apiError{
			status: http.StatusNotFound, reason: "INVALID_URL",
			message: r.Method + " " + r.URL.Path + " is not served by this simulation.",
		}
	})
	root := http.NewServeMux()
	root.Handle("/", s.journal.record(s.faults.inject(s.stop, s.auth.require(s.Rules, api))))
	noRules := func() Rules { return Rules{} } // an account that is locked still reaches the control endpoints
	root.Handle("/sim/", s.auth.require(noRules, s.control()))
	return root
}
