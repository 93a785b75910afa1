package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// pushOptions does not set force, because a newer state or a state of another lineage must not be overwritten.
func pushOptions(lock bool) []tfexec.StatePushCmdOption {
	return []tfexec.StatePushCmdOption{tfexec.Lock(lock)}
}

// Push writes a state to the backend while it holds the lock. Terraform refuses a state of another lineage or with an older serial.
func (r *Run) Push(ctx context.Context, state []byte) error {
	return r.push(ctx, state, true)
}

// refusal matches the error for a state that Terraform refuses to write over the stored one.
var refusal = regexp.MustCompile(`cannot (?:import|overwrite existing) state with`)

// Refused reports whether err is the error of a Push that the backend refuses because it has a newer state or a state of another
// lineage. Retrying does not help.
func Refused(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Verb == "state push" && refusal.MatchString(failure.Message)
}

func (r *Run) push(ctx context.Context, state []byte, lock bool) error {
	return r.command(ctx, "state push", func(ctx context.Context) error {
		path := r.dir.state()
		// A file that cannot be removed here is removed by Close.
		defer func() { _ = os.Remove(path) }()
		if err := os.WriteFile(path, state, 0o600); err != nil {
			return fmt.Errorf("writing the state to push: %w", err)
		}
		return r.cli.StatePush(ctx, path, pushOptions(lock)...)
	})
}
