package prismsim

import "net/http"

// Rules switch behaviours that a real Prism Central has at times, or of which no public record says how it behaves. The zero
// value is the default. Server.SetRules, PUT /sim/rules and PATCH /sim/rules change the rules at run time.
type Rules struct {
	// KeepCategoryValues lets a v3 update without use_categories_mapping keep the further values of a key when the one value
	// that it names is assigned already. By default the update leaves the VM with that one value.
	KeepCategoryValues bool `json:"keepCategoryValues,omitempty"`
}

// SetRules replaces the rules. What exists stays as it is.
func (s *Server) SetRules(rules Rules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.estate.rules = rules
}

// ChangeRules changes some of the rules.
func (s *Server) ChangeRules(change func(*Rules)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.estate.rules)
}

// Rules returns the rules in force.
func (s *Server) Rules() Rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.estate.rules
}

func (s *Server) rulesControl(handle func(pattern string, e endpoint)) {
	handle("GET /sim/rules", func(*http.Request) (int, any, error) { return http.StatusOK, s.Rules(), nil })
	handle("PUT /sim/rules", func(r *http.Request) (int, any, error) { return s.writeRules(r, Rules{}) })
	handle("PATCH /sim/rules", func(r *http.Request) (int, any, error) { return s.writeRules(r, s.Rules()) })
}

// writeRules sets the rules to base with the fields of the request's body changed.
func (s *Server) writeRules(r *http.Request, base Rules) (int, any, error) {
	if err := readControl(r, &base); err != nil {
		return 0, nil, err
	}
	s.SetRules(base)
	return http.StatusOK, base, nil
}
