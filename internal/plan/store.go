package plan

import "sync"

// Stored is a recorded plan together with its plan file.
type Stored struct {
	Record Record
	File   []byte
}

// Store contains at most one plan for each target. It removes a plan that is applied or superseded.
//
// Plans are kept only in memory. If the process ends, the plans are lost and the targets are planned again.
type Store struct {
	mu    sync.Mutex
	plans map[string]Stored
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{plans: map[string]Stored{}} }

// Put stores the plan of a target. It replaces an earlier plan of the same target.
func (s *Store) Put(target string, plan Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[target] = plan
}

// Get returns the plan of a target. The result is false if the store contains no plan for the target.
func (s *Store) Get(target string) (Stored, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plan, ok := s.plans[target]
	return plan, ok
}

// Drop removes the plan of a target after the plan was applied or superseded, or when it is no longer needed.
func (s *Store) Drop(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.plans, target)
}
