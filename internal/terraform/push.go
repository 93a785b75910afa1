package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// pushOptions never forces: the backend's state wins when it is newer or of another lineage.
func pushOptions(lock bool) []tfexec.StatePushCmdOption {
	return []tfexec.StatePushCmdOption{tfexec.Lock(lock)}
}

// Push writes state to the backend, under its lock. A state of another lineage or with an older serial is refused.
func (r *Run) Push(ctx context.Context, state []byte) error {
	return r.push(ctx, state, true)
}

// refusal is what Terraform says of a state that it does not put in place of the backend's.
var refusal = regexp.MustCompile(`cannot (?:import|overwrite existing) state with`)

// Refused reports whether err is that of a Push whose state the backend's own has overtaken: somebody has written one since,
// or made another. It is refused for ever.
func Refused(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Verb == "state push" && refusal.MatchString(failure.Message)
}

func (r *Run) push(ctx context.Context, state []byte, lock bool) error {
	return r.command(ctx, "state push", func(ctx context.Context) error {
		path := r.dir.state()
		// The run's directory goes with Close at the latest.
		defer func() { _ = os.Remove(path) }()
		if err := os.WriteFile(path, state, 0o600); err != nil {
			return fmt.Errorf("writing the state to push: %w", err)
		}
		return r.cli.StatePush(ctx, path, pushOptions(lock)...)
	})
}
