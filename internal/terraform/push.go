package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// pushOptions does not set the force option, because a push must not overwrite a newer state or a state with another lineage.
func pushOptions(lock bool) []tfexec.StatePushCmdOption {
	return []tfexec.StatePushCmdOption{tfexec.Lock(lock)}
}

// Push writes a state to the backend. It holds the lock of the state during the write. Terraform rejects the state if the stored state is
// newer or has another lineage.
func (r *Run) Push(ctx context.Context, state []byte) error {
	return r.push(ctx, state, true)
}

// refusal matches the error of a push that Terraform rejects because the stored state is newer or has another lineage.
var refusal = regexp.MustCompile(`cannot (?:import|overwrite existing) state with`)

// Refused reports whether err is the error of a Push that was rejected because the stored state is newer or has another lineage. In this
// case a retry fails, too.
func Refused(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Verb == "state push" && refusal.MatchString(failure.Message)
}

func (r *Run) push(ctx context.Context, state []byte, lock bool) error {
	return r.command(ctx, "state push", func(ctx context.Context) error {
		path := r.dir.state()
		// If the file cannot be removed here, Close removes it.
		defer func() { _ = os.Remove(path) }()
		if err := os.WriteFile(path, state, 0o600); err != nil {
			return fmt.Errorf("writing the state to push: %w", err)
		}
		return r.cli.StatePush(ctx, path, pushOptions(lock)...)
	})
}
