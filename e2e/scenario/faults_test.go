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

// While a cluster is being created, Prism Central responds with status 500 for one minute and with status 429 for
// another minute. No machine may get a terminal failure, no VM may be created twice, and the cluster must become
// complete.
func TestClusterCompletes_AfterPrismCentralErrors(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	c := newCluster(t, "faults")
	c.proxy = proxy
	c.Workers = 1
	c.apply()
	c.must(testStack.Env.Wait(c.ctx, "the first VM to be created", func(context.Context) (bool, string, error) {
		return len(c.vms()) > 0, "none yet", nil
	}))
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		proxy.fail(status)
		logf(t, "Prism Central responds with %d from now on", status)
		began := time.Now()
		c.must(testStack.Env.Wait(c.ctx, fmt.Sprintf("a minute of responses with status %d", status), func(context.Context) (bool, string, error) {
			for _, machine := range c.machines() {
				assert.Nil(t, machine.Status.FailureReason, "a transient failure must not be terminal")
			}
			return time.Since(began) > faultDuration && proxy.hits.Load() > 0, "", nil
		}))
		logf(t, "%d requests got this response", proxy.hits.Load())
	}
	proxy.fail(0)
	logf(t, "Prism Central responds normally again")
	c.complete()
	assert.Len(t, c.vms(), 2)
	assert.Len(t, c.machines(), 2)
	c.plansClean()
}

// Prism Central accepts create requests, but their tasks fail. The condition and a warning event report the cause.
// After a failed attempt, neither a VM nor a UUID may be left. Once creates succeed again, the same machine gets its VM
// without user action.
func TestFailedCreateIsRetried(t *testing.T) {
	t.Parallel()
	const cause = "INTERNAL_ERROR: the disks could not be cloned"
	c := newCluster(t, "failed-task")
	fault, err := testStack.Prism.Faults().Set(prismsim.Fault{
		Method: http.MethodPost, Path: "/vms$", Contains: `"name":"` + c.Name + "-", TaskError: cause})
	require.NoError(t, err)
	heal := func() { testStack.Prism.Faults().Clear(fault) }
	t.Cleanup(heal)
	c.apply()
	c.waitForCondition("the failure to be reported", c.anyMachine, infrav1.AppliedCondition, infrav1.ApplyFailedReason, cause)
	machines := c.machines()
	require.Len(t, machines, 1)
	name := machines[0].Name
	c.waitForWarning(name, infrav1.ApplyFailedReason, cause)
	c.must(testStack.Env.Wait(c.ctx, "a second attempt to fail without leftovers", func(context.Context) (bool, string, error) {
		assert.Empty(t, c.vms())
		machine := c.machines()[0]
		assert.Nil(t, machine.Status.FailureReason, "a transient failure must not be terminal")
		attempts := len(c.creations())
		return attempts > 1 && machine.Status.VMUUID == "", fmt.Sprintf("%d attempts, VM %q", attempts, machine.Status.VMUUID), nil
	}))

	heal()
	logf(t, "creates succeed from now on, after %d failed ones", len(c.creations()))
	c.complete()
	assert.Len(t, c.vms(), 1)
	machines = c.machines()
	require.Len(t, machines, 1)
	assert.Equal(t, name, machines[0].Name, "the machine must not be replaced")
	c.plansClean()
}
