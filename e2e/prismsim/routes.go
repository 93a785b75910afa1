package prismsim

import "net/http"

// routes puts journal, faults and authentication around the APIs, in this order: a rate limiter stands in front of
// authentication. The control endpoints under /sim/ are authenticated, never journalled and never faulty.
func (s *Server) routes(minor int) http.Handler {
	apis := http.NewServeMux()
	(&v3API{s.estate}).routes(apis)
	v4 := &v4API{estate: s.estate, minor: minor}
	v4.routes(apis, s.api.routes)
	root := http.NewServeMux()
	root.Handle("/", s.journal.record(s.faults.inject(s.estate.stop, s.auth.require(s.Rules, apis))))
	noRules := func() Rules { return Rules{} } // an account that is locked still reaches the control endpoints
	root.Handle("/sim/", s.auth.require(noRules, s.handler()))
	return root
}
