package scenario

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// faultDuration is how long each fault lasts.
const faultDuration = time.Minute

// Prism Central answers 500 for a minute and then 429 for another while a cluster is being made. Nothing becomes terminal, nothing is
// made twice, and the cluster completes.
func TestPrismFailsForAMinute(t *testing.T) {
	t.Parallel()
	between := newProxy(t)
	c := newCluster(t, "faults")
	c.proxy = between
	c.Workers = 1
	c.apply()
	c.must(world.Env.Wait(c.ctx, "the first virtual machine to be made", func(context.Context) (bool, string, error) {
		return len(c.vms()) > 0, "none yet", nil
	}))
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		between.fail(status)
		say(t, "Prism Central answers %d from now on", status)
		began := time.Now()
		c.must(world.Env.Wait(c.ctx, fmt.Sprintf("a minute of %d", status), func(context.Context) (bool, string, error) {
			for _, machine := range c.machines() {
				assert.Nil(t, machine.Status.FailureReason, "a passing fault is not terminal")
			}
			return time.Since(began) > faultDuration && between.hits.Load() > 0, "", nil
		}))
		say(t, "%d requests were answered so", between.hits.Load())
	}
	between.fail(0)
	say(t, "Prism Central answers again")
	c.complete()
	assert.Len(t, c.vms(), 2)
	assert.Len(t, c.machines(), 2)
	c.plansClean()
}

// The task of a creation fails in Prism Central for as long as something is wrong there. Condition and Event tell the cause, nothing
// half-made stays behind or is remembered, and the machine comes by itself once the cause is gone.
func TestFailedCreationIsRepeatedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	const cause = "INTERNAL_ERROR: the disks could not be cloned"
	c := newCluster(t, "failed-task")
	fault, err := world.Prism.Faults().Set(prismsim.Fault{
		Method: http.MethodPost, Path: "/vms$", Contains: `"name":"` + c.Name + "-", TaskError: cause})
	require.NoError(t, err)
	heal := func() { world.Prism.Faults().Clear(fault) }
	t.Cleanup(heal)
	c.apply()
	c.until("the failure to be told", c.anyMachine, infrav1.AppliedCondition, infrav1.ApplyFailedReason, cause)
	machines := c.machines()
	require.Len(t, machines, 1)
	name := machines[0].Name
	c.warned(name, infrav1.ApplyFailedReason, cause)
	c.must(world.Env.Wait(c.ctx, "nothing to be left of a second attempt", func(context.Context) (bool, string, error) {
		assert.Empty(t, c.vms())
		machine := c.machines()[0]
		assert.Nil(t, machine.Status.FailureReason, "a fault that may pass is not terminal")
		attempts := len(c.creations())
		return attempts > 1 && machine.Status.VMUUID == "", fmt.Sprintf("%d attempts, VM %q", attempts, machine.Status.VMUUID), nil
	}))

	heal()
	say(t, "creations succeed from now on, after %d that failed", len(c.creations()))
	c.complete()
	assert.Len(t, c.vms(), 1)
	machines = c.machines()
	require.Len(t, machines, 1)
	assert.Equal(t, name, machines[0].Name, "it is the same machine")
	c.plansClean()
}
