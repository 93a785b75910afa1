package scenario

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// Prism Central answers 500 and 429 for a minute while a cluster is being made. Nothing becomes terminal, nothing is made
// twice, and the cluster completes.
func TestPrismFailsForAMinute(t *testing.T) {
	c := newCluster(t, "faults")
	c.Workers = 1
	c.apply()
	c.must(world.Env.Wait(c.ctx, "the first virtual machine to be made", func(context.Context) (bool, string, error) {
		return len(c.vms()) > 0, "none yet", nil
	}))
	for _, status := range []int{500, 429} {
		_, err := world.Prism.Faults().Set(prismsim.Fault{Path: "^/api/nutanix/v3/", Status: status, For: 30 * time.Second})
		require.NoError(t, err)
		say(t, "Prism Central answers %d from now on", status)
		c.must(world.Env.Wait(c.ctx, fmt.Sprintf("%d to be over", status), func(context.Context) (bool, string, error) {
			for _, machine := range c.machines() {
				assert.Nil(t, machine.Status.FailureReason, "a passing fault is not terminal")
			}
			return len(world.Prism.Faults().List()) == 0, "", nil
		}))
	}
	say(t, "Prism Central answers again")
	c.complete()
	assert.Len(t, c.vms(), 2)
	assert.Len(t, c.machines(), 2)
	c.plansClean()
}
