package plan

import "sync"

// Stored is a recorded plan with its file.
type Stored struct {
	Record Record
	File   []byte
}

// Store keeps at most one plan per target until it is applied or superseded.
//
// This is the seam for durable records. What is kept here is lost with the process, which costs one more plan.
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

// Drop removes the plan of a target, which was applied, superseded or is not wanted any more.
func (s *Store) Drop(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.plans, target)
}
