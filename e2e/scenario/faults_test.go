package scenario

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
