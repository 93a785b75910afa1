package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// observeInfrastructure calls Hooks.Observe with id, the ID of the target's resource. If the target has a resource and id is empty, no
// infrastructure exists and the hook is not called.
func (p *Pipeline) observeInfrastructure(ctx context.Context, target Target, id string) (Observation, error) {
	if id == "" && target.Resource != "" || target.Hooks.Observe == nil {
		return Observation{}, nil
	}
	seen, err := target.Hooks.Observe(ctx, id)
	if err != nil {
		return Observation{}, fmt.Errorf("observing infrastructure: %w", err)
	}
	return seen, nil
}

// writeFiles writes files into the workspace directory of a run.
func writeFiles(workspace Workspace, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := workspace.WriteFile(name, files[name]); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// observedDigest returns the SHA-256 of the observed values from which a plan is made, in hex, or an empty string if there are none.
func (o Observation) observedDigest() string {
	if len(o.Files) == 0 {
		return ""
	}
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(o.Files)) {
		fmt.Fprintf(hash, "%s %d\n%s", name, len(o.Files[name]), o.Files[name])
	}
	if o.SwitchOn {
		fmt.Fprint(hash, "off")
	}
	return hex.EncodeToString(hash.Sum(nil))
}
