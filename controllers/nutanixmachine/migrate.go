package nutanixmachine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/renderer"
)

// maxMigrating is the number of machines of a cluster that are migrated at the same time. If something is wrong with all of them, the
// migration of the cluster stops with these machines.
const maxMigrating = 3

// migrate begins the migration of the machine to the other Prism API if the owner of the cluster asks for it and it is the machine's turn.
func (r *Reconciler) migrate(ctx context.Context, s *scope) (ctrl.Result, error) {
	err := r.Migrate(ctx, &r.migrations, s.nutanixCluster, s.nutanixMachine, r.key(s), func() (*plan.Hold, error) {
		if hold := r.migrationHold(s); hold != nil {
			return hold, nil
		}
		machines := &infrav1.NutanixMachineList{}
		if err := r.Reader.List(ctx, machines, client.InNamespace(s.nutanixMachine.Namespace),
			client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
			return nil, fmt.Errorf("listing the machines of the cluster: %w", err)
		}
		return migrationTurn(s.nutanixMachine, machines.Items), nil
	})
	return ctrl.Result{}, err
}

// migrating reports whether the machine is being migrated.
func (s *scope) migrating() bool { return infrav1.MigratingPrismAPI(s.nutanixMachine) != "" }

// migrationHold returns what the migration of a machine waits for, regardless of other machines.
func (r *Reconciler) migrationHold(s *scope) *plan.Hold {
	machine := s.nutanixMachine
	waiting := func(message string) *plan.Hold {
		return &plan.Hold{Reason: infrav1.WaitingForMigrationReason, Message: message}
	}
	cluster := infrav1.RecordedPrismAPI(s.nutanixCluster)
	if provisioning.AskedAPI(s.nutanixCluster) == infrav1.PrismAPIV4 &&
		(cluster != infrav1.PrismAPIV4 || infrav1.MigratingPrismAPI(s.nutanixCluster) != "") {
		return waiting("the NutanixCluster is migrated first")
	}
	_, separate := s.nutanixCluster.Annotations[infrav1.ControlPlaneCategoryAnnotation]
	_, cycled := machine.Annotations[infrav1.PowerCycleAnnotation]
	switch {
	case provisioning.AskedAPI(s.nutanixCluster) == infrav1.PrismAPIV3 && util.IsControlPlaneMachine(s.machine) && separate:
		return waiting("the anti-affinity of the control plane is removed first, because machines of the v3 API keep its category")
	case !s.published() || !ptr.Deref(machine.Status.Initialization.Provisioned, false):
		return waiting("the machine is not provisioned yet")
	case !conditions.IsTrue(machine, infrav1.VMPoweredOnCondition):
		message := cmp.Or(conditions.GetMessage(machine, infrav1.VMPoweredOnCondition), "the power state of the virtual machine is not known")
		return &plan.Hold{Reason: infrav1.VMPoweredOffReason, Message: message}
	case cycled:
		return waiting("an update that switches the virtual machine off and on was interrupted")
	case !conditions.IsTrue(machine, infrav1.InputsResolvedCondition):
		return waiting(conditions.GetMessage(machine, infrav1.InputsResolvedCondition))
	}
	return r.WaitForMigration(&r.migrations, s.nutanixCluster, machine, r.key(s))
}

// migrationTurn returns nil if a machine may be migrated now. machines are the machines of its cluster. Only one control plane machine is
// migrated at a time.
func migrationTurn(machine *infrav1.NutanixMachine, machines []infrav1.NutanixMachine) *plan.Hold {
	var migrating []string
	for i := range machines {
		other := &machines[i]
		if other.Name == machine.Name || infrav1.MigratingPrismAPI(other) == "" || !other.DeletionTimestamp.IsZero() {
			continue
		}
		if isControlPlane(machine) && isControlPlane(other) {
			return &plan.Hold{Reason: infrav1.WaitingForMigrationReason, Message: fmt.Sprintf(
				"control plane machines are migrated one after the other: %s is being migrated", other.Name)}
		}
		migrating = append(migrating, other.Name)
	}
	if len(migrating) < maxMigrating {
		return nil
	}
	slices.Sort(migrating)
	return &plan.Hold{Reason: infrav1.WaitingForMigrationReason, Message: fmt.Sprintf(
		"%d machines are migrated at a time: %s are being migrated", maxMigrating, strings.Join(migrating, ", "))}
}

func isControlPlane(machine *infrav1.NutanixMachine) bool {
	_, controlPlane := machine.Labels[clusterv1.MachineControlPlaneLabel]
	return controlPlane
}

// setMigration tells a target where the state may contain its VM, and how the VM moves if the machine is being migrated.
func (s *scope) setMigration(target *lifecycle.Target, api renderer.API) {
	target.Former = []string{api.Other().MachineAddress()}
	if s.migrating() || target.Deleting() { // an export describes how to end a migration
		target.Hooks.Migrate = target.Hooks.MigrateTo(target.Resource)
	}
}
