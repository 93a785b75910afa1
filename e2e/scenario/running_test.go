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
	"github.com/capnt/capnt/e2e/stack"
)

// A plan that would power-cycle a running VM waits for approval. This applies to plans caused by drift and to plans
// caused by an edit. The machine stays Ready while the plan waits.
func TestDisruptivePlanOfRunningVMWaits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "waiting")
	c.Workers = 1
	c.apply()
	c.complete()
	c.checkOften()
	worker := c.workers()[0]

	require.NoError(t, testStack.Prism.ChangeVM(worker.Status.VMUUID, prismsim.VMChange{MemoryMiB: ptr.To[int64](8192)}))
	logf(t, "added memory to running machine %s in Prism Central", worker.Name)
	c.waitForPlanRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_")
	c.requireReady(worker.Name)
	assert.EqualValues(t, 8192, c.vmOf(worker.Status.VMUUID).MemoryMiB)
	require.NoError(t, testStack.Prism.ChangeVM(worker.Status.VMUUID, prismsim.VMChange{MemoryMiB: ptr.To[int64](4096)}))
	logf(t, "removed the added memory")
	c.waitForPlanRecorded(worker.Name, infrav1.NoChangesReason, "")

	c.withoutAdmission()
	c.edit(worker.Name, `{"spec":{"memorySize":"6Gi"}}`)
	c.waitForPlanRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_")
	c.requireReady(worker.Name)
	c.edit(worker.Name, `{"spec":{"memorySize":"4Gi"}}`)
	c.waitForPlanRecorded(worker.Name, infrav1.NoChangesReason, "")
	c.requireReady(worker.Name)

	c.edit(worker.Name, `{"spec":{"memorySize":"6Gi"}}`)
	c.waitForPlanRecorded(worker.Name, infrav1.DisruptivePlanReason, "memory_size_")
	assert.EqualValues(t, 4096, c.vmOf(worker.Status.VMUUID).MemoryMiB)
	assert.Empty(t, c.updates(worker.Status.VMUUID))
	logf(t, "deleting the cluster while a plan waits")
}

// Categories that were added to a VM outside of CAPNT survive updates. A VM that was switched off outside of CAPNT
// stays off.
func TestExternalChangesToVMArePreserved(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "others")
	c.Workers = 1
	c.apply()
	c.complete()
	c.checkOften()
	worker := c.workers()[0]
	uuid := worker.Status.VMUUID

	require.NoError(t, testStack.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42"}, "Backup ${x}": {"\"gold\""}}}))
	logf(t, "added two categories to %s in Prism Central", worker.Name)
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	c.waitForApplied(worker.Name)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "others", "Environment": "Testing", "CostCenter": "42", "Backup ${x}": "\"gold\""}, c.vmOf(uuid).Categories)
	c.plansClean()

	require.NoError(t, testStack.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42", "43"}}}))
	updates := len(c.updates(uuid))
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Staging"}]}}`)
	if !stack.UsesV4() { // an update through the v3 API would remove one of the values
		c.waitForPlanRecorded(worker.Name, infrav1.CategoryValuesAmbiguousReason, "CostCenter (42, 43)")
		c.requireReady(worker.Name)
		assert.Len(t, c.updates(uuid), updates)
		require.NoError(t, testStack.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"43"}}}))
	}
	c.waitForApplied(worker.Name)
	if stack.UsesV4() {
		assert.Equal(t, []string{"42", "43"}, c.vmOf(uuid).CategoryValues["CostCenter"])
		require.NoError(t, testStack.Prism.ChangeVM(uuid, prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"43"}}}))
	}
	assert.Equal(t, map[string]string{"KubernetesClusterName": "others", "Environment": "Staging", "CostCenter": "43", "Backup ${x}": "\"gold\""}, c.vmOf(uuid).Categories)

	powerOff(t, uuid)
	updates = len(c.updates(uuid))
	c.waitForCondition("the machine to become not Ready", c.anyMachine, infrav1.ReadyCondition, infrav1.VMPoweredOffReason, uuid)
	c.waitForCondition("the Machine to report VMPoweredOff", c.clusterAPIMachines, clusterv1.MachineInfrastructureReadyCondition, infrav1.VMPoweredOffReason, uuid)
	c.edit(worker.Name, `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	c.waitForReads(uuid, 3)
	assert.Equal(t, "OFF", c.vmOf(uuid).PowerState)
	assert.Len(t, c.updates(uuid), updates, "a VM that is off must not be updated")
	require.NoError(t, testStack.Prism.PowerOn(uuid))
	logf(t, "switched VM %s on again", uuid)
	c.waitForApplied(worker.Name)
	assert.Equal(t, "Testing", c.vmOf(uuid).Categories["Environment"])
	c.complete()
}

// checkOften sets the drift interval of the cluster to one minute, which is the minimum.
func (c *cluster) checkOften() {
	c.t.Helper()
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"drift":{"intervalSeconds":60}}}}`)
}

// edit applies a JSON merge patch to a NutanixMachine. It retries errors, because the API server may still use the old
// webhook configuration after withoutAdmission has changed it.
func (c *cluster) edit(name, patch string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "the edit to be accepted", func(context.Context) (bool, string, error) {
		machine := &infrav1.NutanixMachine{}
		machine.Namespace, machine.Name = c.Namespace, name
		err := testStack.Env.Client.Patch(c.ctx, machine, client.RawPatch("application/merge-patch+json", []byte(patch)))
		return err == nil, fmt.Sprint(err), nil
	}))
	logf(c.t, "edited %s: %s", name, patch)
}

// withoutAdmission excludes the cluster's namespace from the validating webhook for NutanixMachines. A test can then
// make changes that the webhook would reject, to check how the manager handles such changes.
func (c *cluster) withoutAdmission() {
	c.t.Helper()
	const webhook = "validation.nutanixmachine.infrastructure.cluster.x-k8s.io"
	configurations := &admissionv1.ValidatingWebhookConfigurationList{}
	require.NoError(c.t, testStack.Env.Client.List(c.ctx, configurations))
	for _, configuration := range configurations.Items {
		for i := range configuration.Webhooks {
			if configuration.Webhooks[i].Name == webhook {
				configuration.Webhooks[i].NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{c.Namespace}}}}
				require.NoError(c.t, testStack.Env.Client.Update(c.ctx, &configuration))
				return
			}
		}
	}
	require.Fail(c.t, "webhook not found", webhook)
}

func (c *cluster) machine(name string) *infrav1.NutanixMachine {
	c.t.Helper()
	machine := &infrav1.NutanixMachine{}
	require.NoError(c.t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, name), machine))
	return machine
}

func (c *cluster) named(name string) func() []conditionsOf {
	return func() []conditionsOf { return []conditionsOf{c.machine(name)} }
}

func (c *cluster) clusterAPIMachines() []conditionsOf {
	list := &clusterv1.MachineList{}
	require.NoError(c.t, testStack.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	var objects []conditionsOf
	for i := range list.Items {
		objects = append(objects, &list.Items[i])
	}
	return objects
}

// waitForPlanRecorded waits until the machine's PlanRecorded condition has the reason, and the message of the condition
// contains part.
func (c *cluster) waitForPlanRecorded(name, reason, part string) {
	c.t.Helper()
	c.waitForCondition("PlanRecorded of "+name, c.named(name), infrav1.PlanRecordedCondition, reason, part)
}

// waitForApplied waits until the current generation of the machine is applied and the machine is ready.
func (c *cluster) waitForApplied(name string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "the edit to be applied", func(context.Context) (bool, string, error) {
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

// updates returns the requests in which Prism Central was asked to update the VM. The creation of a VM through the v4 API ends with a request
// that switches the VM on.
func (c *cluster) updates(uuid string) []prismsim.Request {
	var requests []prismsim.Request
	for _, request := range testStack.Prism.Requests() {
		isUpdate := request.Method == http.MethodPut || request.Method == http.MethodPost && !strings.HasSuffix(request.Path, "/$actions/power-on")
		if isUpdate && strings.Contains(request.Path, "/vms/"+uuid) {
			requests = append(requests, request)
		}
	}
	return requests
}

// waitForReads waits until Prism Central has received the given number of further requests that read the VM.
func (c *cluster) waitForReads(uuid string, times int) {
	c.t.Helper()
	before := len(requestsOf(http.MethodGet, uuid))
	c.must(testStack.Env.Wait(c.ctx, "the VM to be read", func(context.Context) (bool, string, error) {
		now := len(requestsOf(http.MethodGet, uuid))
		return now >= before+times, fmt.Sprintf("read %d times", now-before), nil
	}))
}

func requestsOf(method, uuid string) []prismsim.Request {
	var requests []prismsim.Request
	for _, request := range testStack.Prism.Requests() {
		if request.Method == method && strings.HasSuffix(request.Path, "/vms/"+uuid) {
			requests = append(requests, request)
		}
	}
	return requests
}
