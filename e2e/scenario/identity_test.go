package scenario

import (
	"context"
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

// The windows in which nobody knows what came of a create. They are shorter than the absence period.
const (
	// listLag is how far the lists of Prism Central lag behind.
	listLag = 10 * time.Second
	// held is how long Prism Central holds a create before it works on it.
	held = 20 * time.Second
)

// The manager is killed while creates are under way: the response to some was lost, others are held by Prism Central, and lists lag
// behind. Each machine gets one VM, and a machine that is deleted then leaves none. It needs the manager and Prism Central for itself.
func TestManagerIsKilledWhileVMsAreCreated(t *testing.T) {
	world.Prism.ChangeRules(func(rules *prismsim.Rules) {
		rules.ListLag, rules.ListLagKinds = prismsim.Duration(listLag), []string{"vm"}
	})
	t.Cleanup(func() {
		world.Prism.ChangeRules(func(rules *prismsim.Rules) { rules.ListLag, rules.ListLagKinds = 0, nil })
	})
	lost, held := prismsim.Fault{DropReply: true}, prismsim.Fault{Hold: held}
	clusters := map[string]*cluster{}
	for name, fault := range map[string]prismsim.Fault{"stays-lost": lost, "stays-held": held, "goes-lost": lost, "goes-held": held} {
		c := newCluster(t, name)
		clusters[name] = c
		fault.Method, fault.Path, fault.Contains, fault.Times = http.MethodPost, "/vms$", `"name":"`+name+"-", 1
		id, err := world.Prism.Faults().Set(fault)
		require.NoError(t, err)
		t.Cleanup(func() { world.Prism.Faults().Clear(id) })
		c.apply()
	}
	c := clusters["stays-lost"]
	c.must(world.Env.Wait(c.ctx, "all creates to be sent", func(context.Context) (bool, string, error) {
		sent := 0
		for _, fault := range world.Prism.Faults().List() {
			sent += fault.Hits
		}
		made := len(clusters["stays-lost"].vms()) + len(clusters["goes-lost"].vms())
		return sent == len(clusters) && made == 2, fmt.Sprintf("%d sent, %d made", sent, made), nil
	}))
	require.NoError(t, world.Env.KillManager())
	for _, name := range []string{"stays-held", "goes-held"} {
		require.Empty(t, clusters[name].vms(), "Prism Central holds the create")
	}
	say(t, "the manager was killed, %d creates were sent", len(clusters))
	require.NoError(t, world.StartManager(c.ctx))
	for _, name := range []string{"goes-lost", "goes-held"} {
		object := &clusterv1.Cluster{}
		object.Namespace, object.Name = name, name
		require.NoError(t, world.Env.Client.Delete(c.ctx, object))
	}
	for _, name := range []string{"stays-lost", "stays-held"} {
		c := clusters[name]
		c.complete()
		assert.Len(t, c.vms(), 1)
		assert.Len(t, c.creations(), 1, "no other create was sent")
		require.Len(t, c.machines(), 1)
		assert.NotContains(t, c.machines()[0].Annotations, infrav1.CreateIntentAnnotation, "the create is settled")
	}
	for _, name := range []string{"goes-lost", "goes-held"} {
		object := &clusterv1.Cluster{}
		object.Namespace, object.Name = name, name
		c.must(world.Env.WaitForGone(c.ctx, object))
		assert.Empty(t, clusters[name].vms())
		assert.Len(t, clusters[name].creations(), 1)
	}
}

// When the account loses its rights, no machine is lost. A VM that a failover brings back under another UUID is recognised, and goes with its
// Machine.
func TestVMsThatAreNotFoundAreNotGivenUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "not-found")
	c.Workers = 1
	c.apply()
	c.complete()

	rights := prismsim.Rights{}
	for _, machine := range c.machines() {
		rights.Hidden = append(rights.Hidden, machine.Status.VMUUID)
	}
	require.NoError(t, world.Prism.SetRights("admin", rights))
	t.Cleanup(func() { assert.NoError(t, world.Prism.SetRights("admin", prismsim.Rights{})) })
	say(t, "the account does not see the VMs of the cluster any more")
	c.until("the VMs to be missed", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason, "its absence is not proven")
	began := time.Now()
	c.must(world.Env.Wait(c.ctx, "twice the absence period to pass", func(context.Context) (bool, string, error) {
		for _, machine := range c.machines() {
			assert.True(t, conditions.IsTrue(&machine, infrav1.ReadyCondition), "%s: %+v", machine.Name, machine.Status.Conditions)
		}
		return time.Since(began) > 2*absencePeriod, "", nil
	}))
	require.NoError(t, world.Prism.SetRights("admin", prismsim.Rights{}))
	c.until("the VMs to be found", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.InputsResolvedReason, "")

	worker := c.workers()[0]
	uuid, err := world.Prism.FailOverVM(worker.Status.VMUUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", After: prismsim.Duration(listLag)})
	require.NoError(t, err)
	say(t, "virtual machine %s failed over and is %s now", worker.Status.VMUUID, uuid)
	c.must(world.Env.Wait(c.ctx, "the VM to be recognised", func(context.Context) (bool, string, error) {
		now := c.workers()[0]
		ready := conditions.IsTrue(&now, infrav1.ReadyCondition) && now.Status.VMUUID == uuid
		return ready, conditions.GetMessage(&now, infrav1.ReadyCondition), nil
	}))
	assert.Equal(t, worker.Spec.ProviderID, c.workers()[0].Spec.ProviderID)
	assert.Len(t, c.vms(), 2)
	c.plansClean()
}
