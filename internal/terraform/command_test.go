package terraform

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endingContext is a context that ends when Err is called for the first time. terraform-exec calls Err after it has started a command.
type endingContext struct {
	context.Context //nolint:containedctx // it is a context
	cancel          context.CancelFunc
}

func (c endingContext) Err() error {
	c.cancel()
	return c.Context.Err()
}

// TestCommandCanceledWhileStartingFails checks that a command fails if its context ends while the command is being started.
func TestCommandCanceledWhileStartingFails(t *testing.T) {
	t.Parallel()
	terraform := newTerraform(t, Config{})
	run := open(t, terraform, RunOptions{Files: workspace(newStateServer(t).backend(), oneResource("one"))})
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)

	ctx, cancel := cancelable(t)
	err = run.Apply(endingContext{ctx, cancel}, plan.Bytes)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, Canceled, ClassOf(err))
	require.Eventually(t, func() bool {
		children, _ := childEnvironments(t, terraform.config.ScratchDir)
		return len(children) == 0
	}, time.Minute, 10*time.Millisecond)
}
