package prismsim

// v4PrismRoutes adds the prism namespace: tasks and categories.
func (api *v4API) v4PrismRoutes(r *v4Router) {
	const ns, types = "prism", "prism.v4.config."
	r.handle("GET", ns, "config/tasks", types+"ListTasksApiResponse", api.v4ListTasks)
	r.handle("GET", ns, "config/tasks/{extId}", types+"GetTaskApiResponse", api.v4GetTask)
	r.handle("GET", ns, "config/categories", types+"ListCategoriesApiResponse", api.v4ListCategories)
	r.handle("POST", ns, "config/categories", types+"CreateCategoryApiResponse", api.v4CreateCategory)
	r.handle("GET", ns, "config/categories/{extId}", types+"GetCategoryApiResponse", api.v4GetCategory)
	r.handle("DELETE", ns, "config/categories/{extId}", types+"DeleteCategoryApiResponse", api.v4DeleteCategory)
}
