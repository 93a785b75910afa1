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
		fault, err := world.Prism.Faults().Set(prismsim.Fault{Path: "^/api/nutanix/v3/", Status: status})
		require.NoError(t, err)
		say(t, "Prism Central answers %d from now on", status)
		began := time.Now()
		c.must(world.Env.Wait(c.ctx, fmt.Sprintf("half a minute of %d", status), func(context.Context) (bool, string, error) {
			for _, machine := range c.machines() {
				assert.Nil(t, machine.Status.FailureReason, "a passing fault is not terminal")
			}
			return time.Since(began) > 30*time.Second && hits(fault) > 0, "", nil
		}))
		world.Prism.Faults().Clear(fault)
	}
	say(t, "Prism Central answers again")
	c.complete()
	assert.Len(t, c.vms(), 2)
	assert.Len(t, c.machines(), 2)
	c.plansClean()
}

// hits is how many requests met a fault.
func hits(id string) int {
	for _, fault := range world.Prism.Faults().List() {
		if fault.ID == id {
			return fault.Hits
		}
	}
	return 0
}
