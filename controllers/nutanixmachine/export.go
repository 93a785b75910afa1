package nutanixmachine

import (
	"context"
	"errors"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// Export renders the workspace of a machine as the reconciler would, so that a person can run Terraform in it. Export
// changes neither the cluster nor Prism Central.
func (r *Reconciler) Export(ctx context.Context, nutanixMachine *infrav1.NutanixMachine) (renderer.Workspace, error) {
	s, err := r.scope(ctx, nutanixMachine.DeepCopy())
	if err != nil {
		return renderer.Workspace{}, err
	}
	if s == nil || s.nutanixCluster == nil {
		return renderer.Workspace{}, errors.New("exporting a workspace: the NutanixMachine belongs to no Machine of a Cluster with a NutanixCluster yet")
	}
	if s.access, err = r.accessToPrism(ctx, s); err != nil {
		return renderer.Workspace{}, err
	}
	inputs, err := r.gather(ctx, s)
	if err != nil {
		return renderer.Workspace{}, err
	}
	target, err := r.complete(ctx, s, inputs, nil)
	if err != nil || s.uuid() == "" {
		return target.Workspace, err
	}
	vm, err := s.readVM(ctx)
	if err != nil {
		return renderer.Workspace{}, err
	}
	if usesV4(s.nutanixMachine) {
		return target.Workspace.WithObserved(foreignRefs(vm, s.nutanixMachine), powerOf(vm, s.nutanixMachine)), nil
	}
	return target.Workspace.WithForeignCategories(foreignValues(vm, s.nutanixMachine)), nil
}
