package scenario

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// What would power-cycle a living VM waits, be it drift or an edit, and the machine stays Ready.
func TestDisruptivePlanOfALivingVMWaits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "waiting")
	c.Workers = 1
	c.apply()
	c.complete()
	c.checkOften()
	worker := c.workers()[0]

	require.NoError(t, world.Prism.ChangeVM(worker.Status.VMUUID, prismsim.VMChange{MemoryMiB: ptr.To[int64](8192)}))
	say(t, "an operator added memory to %s while it runs", worker.Name)
	c.untilRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_mib")
	c.requireReady(worker.Name)
	assert.EqualValues(t, 8192, c.vmOf(worker.Status.VMUUID).MemoryMiB)
	require.NoError(t, world.Prism.ChangeVM(worker.Status.VMUUID, prismsim.VMChange{MemoryMiB: ptr.To[int64](4096)}))
	say(t, "the operator took it back")
	c.untilRecorded(worker.Name, infrav1.NoChangesReason, "")

	c.withoutAdmission()
	c.edit(worker.Name, `{"spec":{"memorySize":"6Gi"}}`)
	c.untilRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_mib")
	c.requireReady(worker.Name)
	c.edit(worker.Name, `{"spec":{"memorySize":"4Gi"}}`)
	c.untilRecorded(worker.Name, infrav1.NoChangesReason, "")
	c.requireReady(worker.Name)

	c.edit(worker.Name, `{"spec":{"memorySize":"6Gi"}}`)
	c.untilRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_mib")
	assert.EqualValues(t, 4096, c.vmOf(worker.Status.VMUUID).MemoryMiB)
	assert.Empty(t, c.updates(worker.Status.VMUUID))
	say(t, "the cluster is deleted while a plan waits")
}

// Categories that others put on a VM survive updates, and a VM that somebody switched off stays off.
func TestWhatOthersDoToAVMStays(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "others")
	c.Workers = 1
	c.apply()
	c.complete()
	c.checkOften()
	worker := c.workers()[0]
	uuid := worker.Status.VMUUID

	require.NoError(t, world.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42"}, "Backup ${x}": {"\"gold\""}}}))
	say(t, "others put two categories on %s", worker.Name)
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	c.untilApplied(worker.Name)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "others", "Environment": "Testing", "CostCenter": "42", "Backup ${x}": "\"gold\""}, c.vmOf(uuid).Categories)
	c.plansClean()

	require.NoError(t, world.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42", "43"}}}))
	updates := len(c.updates(uuid))
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Staging"}]}}`)
	c.untilRecorded(worker.Name, infrav1.CategoryValuesAmbiguousReason, "CostCenter (42, 43)")
	c.requireReady(worker.Name)
	assert.Len(t, c.updates(uuid), updates)
	require.NoError(t, world.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"43"}}}))
	c.untilApplied(worker.Name)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "others", "Environment": "Staging", "CostCenter": "43", "Backup ${x}": "\"gold\""}, c.vmOf(uuid).Categories)

	powerOff(t, uuid)
	updates = len(c.updates(uuid))
	c.until("the machine to be not Ready", c.anyMachine, infrav1.ReadyCondition, infrav1.VMPoweredOffReason, uuid)
	c.until("a MachineHealthCheck to be able to see it", c.clusterAPIMachines, clusterv1.MachineInfrastructureReadyCondition, infrav1.VMPoweredOffReason, uuid)
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	c.untilRead(uuid, 3)
	assert.Equal(t, "OFF", c.vmOf(uuid).PowerState)
	assert.Len(t, c.updates(uuid), updates, "a VM that is off gets no update")
	require.NoError(t, world.Prism.PowerOn(uuid))
	say(t, "virtual machine %s is switched on again", uuid)
	c.untilApplied(worker.Name)
	assert.Equal(t, "Testing", c.vmOf(uuid).Categories["Environment"])
	c.complete()
}

// checkOften makes drift be looked for as often as is allowed.
func (c *cluster) checkOften() {
	c.t.Helper()
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"drift":{"intervalSeconds":60}}}}`)
}

// edit changes a NutanixMachine. It waits for an API server that has not heard yet that admission was switched off.
func (c *cluster) edit(name, patch string) {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, "the edit to be accepted", func(context.Context) (bool, string, error) {
		machine := &infrav1.NutanixMachine{}
		machine.Namespace, machine.Name = c.Namespace, name
		err := world.Env.Client.Patch(c.ctx, machine, client.RawPatch("application/merge-patch+json", []byte(patch)))
		return err == nil, fmt.Sprint(err), nil
	}))
	say(c.t, "%s was edited: %s", name, patch)
}

// withoutAdmission lets the namespace's NutanixMachines change in ways that admission refuses, as an API server does that could
// not reach the webhook.
func (c *cluster) withoutAdmission() {
	c.t.Helper()
	const webhook = "validation.nutanixmachine.infrastructure.cluster.x-k8s.io"
	configurations := &admissionv1.ValidatingWebhookConfigurationList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, configurations))
	for _, configuration := range configurations.Items {
		for i := range configuration.Webhooks {
			if configuration.Webhooks[i].Name == webhook {
				configuration.Webhooks[i].NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{c.Namespace}}}}
				require.NoError(c.t, world.Env.Client.Update(c.ctx, &configuration))
				return
			}
		}
	}
	require.Fail(c.t, "no webhook", webhook)
}

func (c *cluster) machine(name string) *infrav1.NutanixMachine {
	c.t.Helper()
	machine := &infrav1.NutanixMachine{}
	require.NoError(c.t, world.Env.Client.Get(c.ctx, keyOf(c.Namespace, name), machine))
	return machine
}

func (c *cluster) named(name string) func() []conditionsOf {
	return func() []conditionsOf { return []conditionsOf{c.machine(name)} }
}

func (c *cluster) clusterAPIMachines() []conditionsOf {
	list := &clusterv1.MachineList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	var objects []conditionsOf
	for i := range list.Items {
		objects = append(objects, &list.Items[i])
	}
	return objects
}

// untilRecorded waits until a machine says why its plan is recorded.
func (c *cluster) untilRecorded(name, reason, part string) {
	c.t.Helper()
	c.until("PlanRecorded of "+name, c.named(name), infrav1.PlanRecordedCondition, reason, part)
}

// untilApplied waits until the present spec of a machine is applied.
func (c *cluster) untilApplied(name string) {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, "the edit to be applied", func(context.Context) (bool, string, error) {
		machine := c.machine(name)
		applied := conditions.Get(machine, infrav1.AppliedCondition)
		done := applied.Status == metav1.ConditionTrue && applied.ObservedGeneration == machine.Generation && machine.Status.Ready
		return done, fmt.Sprintf("%+v", machine.Status.Conditions), nil
	}))
}

func (c *cluster) requireReady(name string) {
	c.t.Helper()
	machine := c.machine(name)
	require.True(c.t, conditions.IsTrue(machine, infrav1.ReadyCondition), "%+v", machine.Status.Conditions)
}

// updates are the requests that came to Prism Central to change a VM.
func (c *cluster) updates(uuid string) []prismsim.Request { return requestsOf(http.MethodPut, uuid) }

// untilRead waits until the manager has read a VM that many times more.
func (c *cluster) untilRead(uuid string, times int) {
	c.t.Helper()
	before := len(requestsOf(http.MethodGet, uuid))
	c.must(world.Env.Wait(c.ctx, "the VM to be read", func(context.Context) (bool, string, error) {
		now := len(requestsOf(http.MethodGet, uuid))
		return now >= before+times, fmt.Sprintf("read %d times", now-before), nil
	}))
}

func requestsOf(method, uuid string) []prismsim.Request {
	var requests []prismsim.Request
	for _, request := range world.Prism.Requests() {
		if request.Method == method && strings.HasSuffix(request.Path, "/vms/"+uuid) {
			requests = append(requests, request)
		}
	}
	return requests
}
