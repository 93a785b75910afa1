package prismsim

// v4PrismRoutes adds the prism namespace: tasks and categories.
func (s *Server) v4PrismRoutes(r *v4Router) {
	const ns, types = "prism", "prism.v4.config."
	r.handle("GET", ns, "config/tasks", types+"ListTasksApiResponse", s.v4ListTasks)
	r.handle("GET", ns, "config/tasks/{extId}", types+"GetTaskApiResponse", s.v4GetTask)
	r.handle("GET", ns, "config/categories", types+"ListCategoriesApiResponse", s.v4ListCategories)
	r.handle("POST", ns, "config/categories", types+"CreateCategoryApiResponse", s.v4CreateCategory)
	r.handle("GET", ns, "config/categories/{extId}", types+"GetCategoryApiResponse", s.v4GetCategory)
	r.handle("DELETE", ns, "config/categories/{extId}", types+"DeleteCategoryApiResponse", s.v4DeleteCategory)
}
