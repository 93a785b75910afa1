package main

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/policies"
)

// policyKind is the kind of an anti-affinity policy in a task.
const policyKind = "vmm:ahv:policies:vm-anti-affinity-policy"

func newPolicy() *schema.Resource {
	return &schema.Resource{
		CreateContext: createPolicy, ReadContext: readPolicy, UpdateContext: updatePolicy, DeleteContext: deletePolicy,
		Importer: importer, Schema: schemas["nutanix_vm_anti_affinity_policy_v2"].schema(),
	}
}

func createPolicy(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	c := meta.(*client)
	policy := &policies.VmAntiAffinityPolicy{Name: pointerTo(d.Get("name").(string)), Categories: policyCategories(d)}
	if description, set := d.GetOk("description"); set {
		policy.Description = pointerTo(description.(string))
	}
	created, err := c.policies.CreateVmAntiAffinityPolicy(policy)
	if err != nil {
		return diag.Errorf("error while creating VM-VM Anti-Affinity policy : %v", err)
	}
	task := taskOf(created)
	if err := c.wait(ctx, task); err != nil {
		return diag.Errorf("error waiting for VM-VM Anti-Affinity policy (%s) to create: %s", valueOf(task), err)
	}
	id, found, err := c.affected(task, policyKind)
	if err != nil {
		return diag.Errorf("error while fetching VM-VM Anti-Affinity policy task: %v", err)
	}
	if !found {
		return diag.Errorf("VM-VM Anti-Affinity Policy UUID not found in entities affected")
	}
	d.SetId(id)
	return readPolicy(ctx, d, meta)
}

// policyCategories returns the categories in the configuration of a policy.
func policyCategories(d *schema.ResourceData) []policies.CategoryReference {
	var categories []policies.CategoryReference
	for _, id := range itemsOf(d.Get("categories")) {
		if id != "" {
			categories = append(categories, policies.CategoryReference{ExtId: pointerTo(id.(string))})
		}
	}
	return categories
}

func readPolicy(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	found, err := meta.(*client).policies.GetVmAntiAffinityPolicyById(pointerTo(d.Id()))
	if err != nil {
		return diag.Errorf("error while fetching VM-VM Anti-Affinity policy : %v", err)
	}
	return setAll(d, flattenPolicy(found.GetData().(policies.VmAntiAffinityPolicy)))
}

// flattenPolicy returns the attributes that Prism Central returns. The others keep their values in the state.
func flattenPolicy(policy policies.VmAntiAffinityPolicy) map[string]any {
	out := map[string]any{}
	for name, value := range map[string]*string{"ext_id": policy.ExtId, "name": policy.Name, "description": policy.Description} {
		if value != nil {
			out[name] = *value
		}
	}
	for name, value := range map[string]*time.Time{"create_time": policy.CreateTime, "update_time": policy.UpdateTime} {
		if value != nil {
			out[name] = value.Format(time.RFC3339)
		}
	}
	for name, user := range map[string]*policies.UserReference{"created_by": policy.CreatedBy, "updated_by": policy.UpdatedBy} {
		if user != nil && user.ExtId != nil {
			out[name] = map[string]string{"ext_id": *user.ExtId}
		}
	}
	for name, value := range map[string]*int64{
		"num_compliant_vms": policy.NumCompliantVms, "num_non_compliant_vms": policy.NumNonCompliantVms, "num_pending_vms": policy.NumPendingVms,
	} {
		if value != nil {
			out[name] = int(*value)
		}
	}
	if policy.Categories != nil {
		categories := []any{}
		for _, category := range policy.Categories {
			categories = append(categories, valueOf(category.ExtId))
		}
		out["categories"] = categories
	}
	return out
}

func updatePolicy(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	c := meta.(*client)
	found, err := c.policies.GetVmAntiAffinityPolicyById(pointerTo(d.Id()))
	if err != nil {
		return diag.Errorf("error while fetching VM-VM Anti-Affinity policy : %v", err)
	}
	policy := found.GetData().(policies.VmAntiAffinityPolicy)
	if d.HasChange("name") {
		policy.Name = pointerTo(d.Get("name").(string))
	}
	if d.HasChange("description") {
		policy.Description = pointerTo(d.Get("description").(string))
	}
	if categories := policyCategories(d); d.HasChange("categories") && len(categories) > 0 {
		policy.Categories = categories
	}
	updated, err := c.policies.UpdateVmAntiAffinityPolicyById(pointerTo(d.Id()), &policy)
	if err != nil {
		return diag.Errorf("error while updating VM-VM Anti-Affinity policy : %v", err)
	}
	task := taskOf(updated)
	if err := c.wait(ctx, task); err != nil {
		return diag.Errorf("error waiting for VM-VM Anti-Affinity policy (%s) to update: %s", valueOf(task), err)
	}
	return readPolicy(ctx, d, meta)
}

func deletePolicy(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	c := meta.(*client)
	found, err := c.policies.GetVmAntiAffinityPolicyById(pointerTo(d.Id()))
	if err != nil {
		return diag.Errorf("error while fetching VM-VM Anti-Affinity policy : %v", err)
	}
	deleted, err := c.policies.DeleteVmAntiAffinityPolicyById(pointerTo(d.Id()), c.ifMatch(found))
	if err != nil {
		return diag.Errorf("error while deleting VM-VM Anti-Affinity policy : %v", err)
	}
	task := taskOf(deleted)
	if err := c.wait(ctx, task); err != nil {
		return diag.Errorf("error waiting for VM-VM Anti-Affinity policy (%s) to delete: %s", valueOf(task), err)
	}
	return nil
}
