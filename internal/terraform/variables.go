package terraform

import (
	"encoding/json"
	"fmt"
	"os"
)

// withVariables writes the sensitive variables to a file, calls do with the path of the file, and removes the file. If there are no
// variables, the path is empty.
func (r *Run) withVariables(do func(path string) error) (err error) {
	if len(r.options.Variables) == 0 {
		return do("")
	}
	content, err := json.Marshal(r.options.Variables)
	if err != nil {
		return fmt.Errorf("encoding the sensitive variables: %w", err)
	}
	path := r.dir.variables()
	defer func() {
		if removed := os.Remove(path); removed != nil && err == nil {
			err = fmt.Errorf("removing the file of sensitive variables: %w", removed)
		}
	}()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing the file of sensitive variables: %w", err)
	}
	return do(path)
}
