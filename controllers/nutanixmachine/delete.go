package nutanixmachine

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/renderer"
)

// reconcileDelete removes the Terraform state of a machine and either destroys or retains its VM, depending on the
// deletion policy of the cluster. If Terraform never ran for the machine, the deletion does not connect to Prism
// Central.
func (r *Reconciler) reconcileDelete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.nutanixMachine, infrav1.NutanixMachineFinalizer) {
		return ctrl.Result{}, nil
	}
	released, err := r.Released(ctx, s.nutanixMachine, infrav1.NutanixMachineFinalizer)
	if err != nil || released {
		return ctrl.Result{}, err
	}
	if r.mayExist(s.nutanixMachine) {
		if result, err := r.dispose(ctx, s); err != nil || !result.IsZero() || s.unfinished {
			return result, err
		}
	}
	r.absences.forget(r.key(s))
	r.recent.forget(r.key(s))
	r.lookUps.Forget(r.key(s))
	controllerutil.RemoveFinalizer(s.nutanixMachine, infrav1.NutanixMachineFinalizer)
	return ctrl.Result{}, nil
}

func (r *Reconciler) dispose(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.nutanixCluster == nil {
		return s.stop(infrav1.AppliedCondition, missingCluster(s))
	}
	retain, err := r.Retains(ctx, s.cluster, s.nutanixCluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	access, err := r.accessToPrism(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	s.access = access
	if wait, result, err := r.awaitAbsence(s); err != nil || wait {
		return result, err
	}
	if retain {
		return r.retain(ctx, s)
	}
	return r.destroy(ctx, s)
}

// mayExist reports whether a VM may exist, because Terraform may have run or the object has adopted an existing VM.
func (r *Reconciler) mayExist(machine *infrav1.NutanixMachine) bool {
	_, published := providerid.Parse(machine.Spec.ProviderID)
	return published || r.HasWorkspaceKey(machine)
}

func (r *Reconciler) destroy(ctx context.Context, s *scope) (ctrl.Result, error) {
	target, err := r.destroyTarget(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	result, done, err := r.Destroy(ctx, target, s.nutanixMachine, &s.nutanixMachine.Status.Terraform)
	s.unfinished = !done
	return ctrl.Result{RequeueAfter: result.RetryAfter}, err
}

// destroyTarget returns the target of a destruction. The bootstrap data may already be deleted, so the plan does not depend on it.
func (r *Reconciler) destroyTarget(ctx context.Context, s *scope) (lifecycle.Target, error) {
	target, err := r.complete(ctx, s, destroyInputs(s), map[string]string{renderer.UserDataVariable: ""})
	if data, missing := r.bootstrapData(ctx, s); err == nil && missing == nil {
		target.UserData = encode(renderer.UserData(data, s.machine.Name))
	}
	return target, err
}

// retain exports the workspace as it was last applied. The VM stays in Prism Central.
func (r *Reconciler) retain(ctx context.Context, s *scope) (ctrl.Result, error) {
	inputs, err := r.gather(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	target, err := r.complete(ctx, s, inputs, map[string]string{renderer.UserDataVariable: ""})
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	result, done, err := r.Retain(ctx, target, s.cluster.Name, s.nutanixMachine, &s.nutanixMachine.Status.Terraform)
	s.unfinished = !done
	return ctrl.Result{RequeueAfter: result.RetryAfter}, err
}

// destroyInputs returns the inputs for a workspace that is only destroyed. Terraform needs a configuration to import
// the VM, but the values have no effect. The real images, subnets and Secrets may no longer exist.
func destroyInputs(s *scope) renderer.Machine {
	return renderer.Machine{
		Name:           s.machine.Name,
		Description:    mark(s.nutanixMachine),
		PrismElement:   renderer.Ref{UUID: unknownUUID},
		Subnets:        []renderer.Ref{{UUID: unknownUUID}},
		Sockets:        1,
		VCPUsPerSocket: 1,
		MemoryMiB:      1,
		Disks:          []renderer.Disk{{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: 1, Image: &renderer.Ref{UUID: unknownUUID}}},
		CloudInit:      true,
	}
}
