package scenario

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// While a create request is held, and afterwards while the list lags, the manager cannot know whether the VM exists. Both
// durations together must be shorter than the absence period. "make soak" sets longer durations.
var (
	listLag      = flag.Duration("list-lag", 10*time.Second, "how long a new VM is missing from Prism Central's lists")
	holdDuration = flag.Duration("hold", 10*time.Second, "how long after the manager was killed Prism Central processes a held create request")
)

// The manager is killed while it creates VMs and the VM lists lag. For two of the four clusters, the response to the
// create request is lost. For the other two clusters, Prism Central still holds the create request. Each machine that
// is not deleted must get exactly one VM, and a deleted machine must leave no VM. The test does not run in parallel
// with others, because it kills the manager and changes the rules of Prism Central.
func TestInterruptedCreateMakesOneVM(t *testing.T) {
	testStack.Prism.ChangeRules(func(rules *prismsim.Rules) {
		rules.ListLag, rules.ListLagKinds = prismsim.Duration(*listLag), []string{"vm"}
	})
	t.Cleanup(func() {
		testStack.Prism.ChangeRules(func(rules *prismsim.Rules) { rules.ListLag, rules.ListLagKinds = 0, nil })
	})
	lost, held := prismsim.Fault{DropReply: true}, prismsim.Fault{Hold: time.Hour} // a held request goes on when its fault is cleared
	var heldFaults []string
	clusters := map[string]*cluster{}
	for name, fault := range map[string]prismsim.Fault{"kept-lost": lost, "kept-held": held, "removed-lost": lost, "removed-held": held} {
		c := newCluster(t, name)
		clusters[name] = c
		fault.Method, fault.Path, fault.Contains, fault.Times = http.MethodPost, "/vms$", `"name":"`+name+"-", 1
		id, err := testStack.Prism.Faults().Set(fault)
		require.NoError(t, err)
		t.Cleanup(func() { testStack.Prism.Faults().Clear(id) })
		if fault.Hold > 0 {
			heldFaults = append(heldFaults, id)
		}
		c.apply()
	}
	c := clusters["kept-lost"]
	c.must(testStack.Env.Wait(c.ctx, "all creates to be sent", func(context.Context) (bool, string, error) {
		sent := 0
		for _, fault := range testStack.Prism.Faults().List() {
			sent += fault.Hits
		}
		created := len(clusters["kept-lost"].vms()) + len(clusters["removed-lost"].vms())
		return sent == len(clusters) && created == 2, fmt.Sprintf("%d sent, %d VMs created", sent, created), nil
	}))
	require.NoError(t, testStack.Env.KillManager())
	for _, name := range []string{"kept-held", "removed-held"} {
		require.Empty(t, clusters[name].vms(), "Prism Central still holds the create")
	}
	time.AfterFunc(*holdDuration, func() { testStack.Prism.Faults().Clear(heldFaults...) })
	logf(t, "killed the manager after %d creates were sent", len(clusters))
	require.NoError(t, testStack.StartManager(c.ctx))
	for _, name := range []string{"removed-lost", "removed-held"} {
		object := &clusterv1.Cluster{}
		object.Namespace, object.Name = name, name
		require.NoError(t, testStack.Env.Client.Delete(c.ctx, object))
	}
	for _, name := range []string{"kept-lost", "kept-held"} {
		c := clusters[name]
		c.complete()
		assert.Len(t, c.vms(), 1)
		assert.Len(t, c.creations(), 1, "exactly one create must be sent")
		require.Len(t, c.machines(), 1)
		assert.NotContains(t, c.machines()[0].Annotations, infrav1.CreateIntentAnnotation, "the create intent must be closed")
	}
	for _, name := range []string{"removed-lost", "removed-held"} {
		object := &clusterv1.Cluster{}
		object.Namespace, object.Name = name, name
		c.must(testStack.Env.WaitForGone(c.ctx, object))
		assert.Empty(t, clusters[name].vms())
		assert.Len(t, clusters[name].creations(), 1)
	}
}

// While the account cannot see the VMs, the manager must not report any machine as lost. If a VM gets a new UUID in a
// failover, the manager recognises the VM and deletes it together with its Machine.
func TestMissingVMsAreRecognisedAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "not-found")
	c.Workers = 1
	c.apply()
	c.complete()

	rights := prismsim.Rights{}
	for _, machine := range c.machines() {
		rights.Hidden = append(rights.Hidden, machine.Status.VMUUID)
	}
	require.NoError(t, testStack.Prism.SetRights("admin", rights))
	t.Cleanup(func() { assert.NoError(t, testStack.Prism.SetRights("admin", prismsim.Rights{})) })
	logf(t, "the account cannot see the cluster's VMs any more")
	c.waitForCondition("the VMs to be reported as not found", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason, "its absence is not proven")
	began := time.Now()
	c.must(testStack.Env.Wait(c.ctx, "twice the absence period to pass", func(context.Context) (bool, string, error) {
		for _, machine := range c.machines() {
			assert.True(t, conditions.IsTrue(&machine, infrav1.ReadyCondition), "%s: %+v", machine.Name, machine.Status.Conditions)
		}
		return time.Since(began) > 2*(*absencePeriod), "", nil
	}))
	require.NoError(t, testStack.Prism.SetRights("admin", prismsim.Rights{}))
	c.waitForCondition("the VMs to be found", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.InputsResolvedReason, "")

	worker := c.workers()[0]
	uuid, err := testStack.Prism.FailOverVM(worker.Status.VMUUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", After: prismsim.Duration(*listLag)})
	require.NoError(t, err)
	logf(t, "VM %s failed over and has UUID %s now", worker.Status.VMUUID, uuid)
	c.must(testStack.Env.Wait(c.ctx, "the VM to be recognised", func(context.Context) (bool, string, error) {
		now := c.workers()[0]
		ready := conditions.IsTrue(&now, infrav1.ReadyCondition) && now.Status.VMUUID == uuid
		return ready, conditions.GetMessage(&now, infrav1.ReadyCondition), nil
	}))
	assert.Equal(t, worker.Spec.ProviderID, c.workers()[0].Spec.ProviderID)
	assert.Len(t, c.vms(), 2)
	c.plansClean()
}
