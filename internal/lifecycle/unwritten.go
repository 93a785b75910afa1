package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// UnwrittenPattern matches the names of the files in Pipeline.UnwrittenDir that contain unwritten states.
const UnwrittenPattern = "unwritten-*.tfstate"

// unwrittenName returns the name of the file for the target's unwritten state.
func (t Target) unwrittenName() string {
	sum := sha256.Sum256([]byte(t.Key()))
	return "unwritten-" + hex.EncodeToString(sum[:]) + ".tfstate"
}

// unwrittenStates contains the states that an apply could not write to their backends. The next run of a target writes its state before
// anything else. The states contain secrets. They are stored in memory and, so that they survive a restart of the container, in files.
type unwrittenStates struct {
	dir string // empty means that nothing is stored in files

	mu     sync.Mutex
	states map[string][]byte
}

// put stores a state. It ignores a state that is not JSON, because Terraform was killed while it wrote the state. If put returns an error,
// the state is only in memory.
func (u *unwrittenStates) put(name string, state []byte) error {
	if !json.Valid(state) {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.states == nil {
		u.states = map[string][]byte{}
	}
	u.states[name] = state
	if u.dir == "" {
		return nil
	}
	file := filepath.Join(u.dir, name)
	temporary := file + ".new"
	err := os.WriteFile(temporary, state, 0o600)
	if err == nil {
		err = os.Rename(temporary, file)
	}
	if err != nil {
		return fmt.Errorf("storing an unwritten state: %w", errors.Join(err, os.RemoveAll(temporary)))
	}
	return nil
}

// get returns a state, or nil if there is none.
func (u *unwrittenStates) get(name string) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state := u.states[name]; state != nil || u.dir == "" {
		return state, nil
	}
	state, err := os.ReadFile(filepath.Join(u.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading an unwritten state: %w", err)
	}
	return state, nil
}

// remove removes a state.
func (u *unwrittenStates) remove(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.states, name)
	if u.dir == "" {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(u.dir, name)); err != nil {
		return fmt.Errorf("removing an unwritten state: %w", err)
	}
	return nil
}
