package prismsim

// v4PrismRoutes adds the prism namespace: tasks and categories.
func (s *Server) v4PrismRoutes(r *v4Router) {
	const ns = "prism"
	r.handle("GET", ns, "config/tasks", "prism.v4.config.ListTasksApiResponse", s.v4ListTasks)
	r.handle("GET", ns, "config/tasks/{extId}", "prism.v4.config.GetTaskApiResponse", s.v4GetTask)
}
