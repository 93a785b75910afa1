package plan

import "sync"

// Stored is a recorded plan with its file.
type Stored struct {
	Record Record
	File   []byte
}

// Store contains at most one plan for each target until the plan is applied or superseded.
//
// The plans are lost when the process ends. The target is then planned again.
type Store struct {
	mu    sync.Mutex
	plans map[string]Stored
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{plans: map[string]Stored{}} }

// Put records the plan of a target and supersedes an earlier one.
func (s *Store) Put(target string, plan Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[target] = plan
}

// Get returns the plan of a target.
func (s *Store) Get(target string) (Stored, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plan, ok := s.plans[target]
	return plan, ok
}

// Drop removes the plan of a target, which was applied, superseded or is not needed any more.
func (s *Store) Drop(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.plans, target)
}
