package prismsim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	policies "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/policies"
)

func TestVendorSDKChangesAntiAffinityPolicy(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	category, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)
	body := policies.NewVmAntiAffinityPolicy()
	body.Name, body.Description, body.Categories = ptr("apart"), ptr("d"), []policies.CategoryReference{{ExtId: &category}}
	response, err := sdk.policies.CreateVmAntiAffinityPolicy(body)
	require.NoError(t, err)
	task := sdk.succeed(t, response.GetData())
	require.Equal(t, "vmm:ahv:policies:vm-anti-affinity-policy", *task.EntitiesAffected[0].Rel)
	id := *task.EntitiesAffected[0].ExtId
	read := func() policies.VmAntiAffinityPolicy {
		response, err := sdk.policies.GetVmAntiAffinityPolicyById(&id)
		require.NoError(t, err)
		return response.GetData().(policies.VmAntiAffinityPolicy)
	}
	made := read()
	assert.Equal(t, "apart d", *made.Name+" "+*made.Description)
	assert.Equal(t, []any{*made.CreatedBy.ExtId, category}, []any{*made.UpdatedBy.ExtId, *made.Categories[0].ExtId})
	list, err := sdk.policies.ListVmAntiAffinityPolicies(nil, nil, ptr("name eq 'apart'"), nil)
	require.NoError(t, err)
	assert.Equal(t, 1, *list.Metadata.TotalAvailableResults)

	old, changed := read(), read()
	changed.Name = ptr("renamed")
	updated, err := sdk.policies.UpdateVmAntiAffinityPolicyById(&id, &changed)
	require.NoError(t, err)
	sdk.succeed(t, updated.GetData())
	assert.Equal(t, "renamed", *read().Name)
	_, err = sdk.policies.UpdateVmAntiAffinityPolicyById(&id, &old)
	require.ErrorContains(t, err, "POLICY_ETAG_MISMATCH")
	_, err = sdk.categories.DeleteCategoryById(&category)
	require.ErrorContains(t, err, "CATEGORY_IN_USE", "the policy goes before its category")
	body.Categories = []policies.CategoryReference{{ExtId: ptr(noEntity)}}
	failed, err := sdk.policies.CreateVmAntiAffinityPolicy(body)
	require.NoError(t, err)
	assert.Equal(t, tasks.TASKSTATUS_FAILED, *sdk.waitForTask(t, failed.GetData()).Status)

	current := read()
	gone, err := sdk.policies.DeleteVmAntiAffinityPolicyById(&id, match(sdk.policies.ApiClient.GetEtag(current)))
	require.NoError(t, err)
	sdk.succeed(t, gone.GetData())
	_, err = sdk.policies.GetVmAntiAffinityPolicyById(&id)
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	_, err = sdk.categories.DeleteCategoryById(&category)
	require.NoError(t, err)
}

func TestAntiAffinityPolicyKeepsVMsApart(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	category, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)
	policy := policies.NewVmAntiAffinityPolicy()
	policy.Name, policy.Categories = ptr("apart"), []policies.CategoryReference{{ExtId: &category}}
	response, err := sdk.policies.CreateVmAntiAffinityPolicy(policy)
	require.NoError(t, err)
	id := *sdk.succeed(t, response.GetData()).EntitiesAffected[0].ExtId
	hosts := map[string]bool{}
	for range 3 {
		for range 2 { // two other VMs on each host make the emptiest host a bad choice
			other, _ := sdk.createVM(t, vmBody(t, s, "other"))
			sdk.powerOn(t, *other.ExtId)
		}
		body := vmBody(t, s, "apart")
		body.Categories = categoryRefs(t, s, [2]string{"Environment", "Testing"})
		vm, _ := sdk.createVM(t, body)
		sdk.powerOn(t, *vm.ExtId)
		hosts[vmView(t, s, *vm.ExtId).Host] = true
	}
	assert.Len(t, hosts, 3)
	compliance := func() (int64, int64, int64) {
		response, err := sdk.policies.GetVmAntiAffinityPolicyById(&id)
		require.NoError(t, err)
		p := response.GetData().(policies.VmAntiAffinityPolicy)
		return *p.NumCompliantVms, *p.NumNonCompliantVms, *p.NumPendingVms
	}
	good, bad, pending := compliance()
	assert.Equal(t, []int64{3, 0, 0}, []int64{good, bad, pending})
	body := vmBody(t, s, "fourth")
	body.Categories = categoryRefs(t, s, [2]string{"Environment", "Testing"})
	fourth, _ := sdk.createVM(t, body)
	good, bad, pending = compliance()
	assert.Equal(t, []int64{3, 0, 1}, []int64{good, bad, pending})
	sdk.powerOn(t, *fourth.ExtId)
	good, bad, pending = compliance()
	assert.Equal(t, []int64{2, 2, 0}, []int64{good, bad, pending}, "there are three hosts")
	states, err := sdk.policies.ListVmAntiAffinityPolicyVmComplianceStates(&id, nil, nil)
	require.NoError(t, err)
	list := states.GetData().([]policies.VmAntiAffinityPolicyVmComplianceState)
	require.Len(t, list, 4)
	assert.IsType(t, policies.NonCompliantVmAntiAffinityPolicy{}, list[3].ComplianceStatus.GetValue())
}
