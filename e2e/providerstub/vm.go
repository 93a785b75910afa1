package main

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// vmKind is the kind of a VM in a task.
const vmKind = "vmm:ahv:config:vm"

var vmSchema = schemas["nutanix_virtual_machine_v2"]

// newVM returns the resource for a VM. If a VM is absent, all verbs fail. States of schema version 0, which providers before 2.4.1 wrote,
// are not supported.
func newVM() *schema.Resource {
	return &schema.Resource{
		CreateContext: createVM, ReadContext: readVM, UpdateContext: updateVM, DeleteContext: deleteVM,
		Importer: importer, Schema: vmSchema.schema(), SchemaVersion: 1,
	}
}

// vmRun is a run of a verb for one VM.
type vmRun struct {
	*client
	ctx context.Context //nolint:containedctx // a run lasts as long as one call
	d   *schema.ResourceData
}

func newRun(ctx context.Context, d *schema.ResourceData, meta any) *vmRun {
	return &vmRun{client: meta.(*client), ctx: ctx, d: d}
}

func (r *vmRun) id() *string { return pointerTo(r.d.Id()) }

// get reads the VM.
func (r *vmRun) get() (*config.GetVmApiResponse, error) { return r.vms.GetVmById(r.id()) }

// powerState returns the name of the power state in a response. Like the provider, it crashes without a power state.
func powerState(read *config.GetVmApiResponse) string {
	vm := read.GetData().(config.Vm)
	return vm.PowerState.GetName()
}

// createVM creates the VM, which is off, and then switches it on. The state contains the VM only if the create task succeeded. An error
// after that taints the VM.
func createVM(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	r := newRun(ctx, d, meta)
	created, err := r.vms.CreateVm(newVMModel(d))
	if err != nil {
		return createError(err)
	}
	task := taskOf(created)
	if err := r.wait(ctx, task); err != nil {
		return diag.Errorf("error waiting for virtual Machine (%s) to create: %s", valueOf(task), err)
	}
	id, found, err := r.affected(task, vmKind)
	if err != nil {
		return diag.Errorf("error while fetching VM UUID : %v", err)
	}
	if !found {
		return diag.Errorf("Virtual Machine UUID not found in entities affected")
	}
	d.SetId(id)
	switch d.Get("power_state") {
	case on:
		if failed := r.switchPower(on); failed.HasError() {
			return failed
		}
		if len(itemsOf(d.Get("nics"))) > 0 {
			r.waitForAddress()
		}
	case off:
		if failed := r.switchPower(off); failed.HasError() {
			return failed
		}
	}
	return readVM(ctx, d, meta)
}

// createError returns an error that lacks the message of Prism Central. If the response is not JSON, it is the error of the decoder.
func createError(err error) diag.Diagnostics {
	var body map[string]any
	invalid := json.Unmarshal([]byte(err.Error()), &body)
	if invalid != nil {
		return diag.FromErr(invalid)
	}
	return diag.Errorf("error while creating Virtual Machines : %v", invalid)
}

// newVMModel returns the body of the create request. It has no attribute whose value is false, zero or empty.
func newVMModel(d *schema.ResourceData) *config.Vm {
	vm := &config.Vm{}
	model := reflect.ValueOf(vm).Elem()
	for _, name := range vmSchema.sentNames() {
		value, set := d.GetOk(name)
		switch {
		case !set || name == "power_state":
		case name == "nics":
			vm.Nics = expandNICs(itemsOf(value))
		default:
			vmSchema[name].assign(model, name, value)
		}
	}
	return vm
}

func readVM(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	read, err := newRun(ctx, d, meta).get()
	if err != nil {
		return diag.Errorf("error while fetching vm : %v", err)
	}
	setAll(d, flattenVM(read.GetData().(config.Vm))) // the provider ignores errors
	return nil
}

// flattenVM returns the attributes of a VM for the state.
func flattenVM(vm config.Vm) map[string]any {
	out := vmSchema.flatten(reflect.ValueOf(vm))
	for i, nic := range vm.Nics {
		completeNIC(out["nics"].([]any)[i].(map[string]any), nic)
	}
	for name, a := range vmSchema {
		if _, found := out[name]; found || a.computed && !a.optional {
			continue
		}
		switch name {
		case "machine_type", "power_state", "protection_type":
			out[name] = unknown
		default:
			out[name] = a.empty()
		}
	}
	return out
}

func deleteVM(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	r := newRun(ctx, d, meta)
	read, err := r.get()
	if err != nil {
		return diag.Errorf("error while reading vm : %v", err)
	}
	deleted, err := r.vms.DeleteVmById(r.id(), r.ifMatch(read))
	if err != nil {
		return diag.Errorf("error while deleting vm : %v", err)
	}
	task := taskOf(deleted)
	if err := r.wait(ctx, task); err != nil {
		return diag.Errorf("error waiting for vm (%s) to delete: %s", valueOf(task), err)
	}
	return nil
}
