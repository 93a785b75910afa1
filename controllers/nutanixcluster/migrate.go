package nutanixcluster

import (
	"context"
	"fmt"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// migrate begins the migration of the cluster to the other Prism API if its owner asks for it. A cluster is migrated to v4 before its
// machines and to v3 after them, so that its machines can be read through v4 as long as one of them uses v4.
func (r *Reconciler) migrate(ctx context.Context, s *scope) (ctrl.Result, error) {
	key := lifecycle.Target{Object: s.nutanixCluster, Kind: kind}.Key()
	err := r.Migrate(ctx, &r.migrations, s.nutanixCluster, s.nutanixCluster, key, func() (*plan.Hold, error) {
		if hold := r.WaitForMigration(&r.migrations, s.nutanixCluster, s.nutanixCluster, key); hold != nil {
			return hold, nil
		}
		if provisioning.AskedAPI(s.nutanixCluster) == infrav1.PrismAPIV3 {
			if hold, err := r.machinesThroughV4(ctx, s); hold != nil || err != nil {
				return hold, err
			}
		}
		return r.answers(ctx, s), nil
	})
	return ctrl.Result{}, err
}

// machinesThroughV4 returns the reason why the cluster waits for its machines, or nil.
func (r *Reconciler) machinesThroughV4(ctx context.Context, s *scope) (*plan.Hold, error) {
	machines := &infrav1.NutanixMachineList{}
	if err := r.Reader.List(ctx, machines, client.InNamespace(s.nutanixCluster.Namespace),
		client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
		return nil, fmt.Errorf("listing the machines of the cluster: %w", err)
	}
	left := 0
	for i := range machines.Items {
		machine := &machines.Items[i]
		if infrav1.RecordedPrismAPI(machine) == infrav1.PrismAPIV4 || infrav1.MigratingPrismAPI(machine) != "" {
			left++
		}
	}
	if left == 0 {
		return nil, nil
	}
	return &plan.Hold{Reason: infrav1.WaitingForMigrationReason, Message: fmt.Sprintf("%d machines are migrated first", left)}, nil
}

// answers returns the reason why the cluster cannot be migrated if Prism Central does not respond through both APIs, or nil.
func (r *Reconciler) answers(ctx context.Context, s *scope) *plan.Hold {
	for _, api := range []prism.Generation{prism.V3, prism.V4} {
		access, err := r.Prism.AccessThrough(ctx, s.nutanixCluster, api)
		if err == nil {
			err = access.Client.Ping(ctx)
		}
		if err != nil {
			message := fmt.Sprintf("Prism Central does not respond through the %s API: %v", api, err)
			return &plan.Hold{Reason: provisioning.Diagnose(err).Reason, Message: message}
		}
	}
	return nil
}

// migrationInterval is how often a cluster that waits for its migration is reconciled.
const migrationInterval = time.Minute

// untilMigration returns the time until the next check of the workspace, or until the next attempt to begin a migration.
func (s *scope) untilMigration() time.Duration {
	if s.untilCheck != 0 && s.untilCheck < migrationInterval || !conditions.IsFalse(s.nutanixCluster, infrav1.PrismAPIMigratedCondition) {
		return s.untilCheck
	}
	return migrationInterval
}

// setMigration tells a target where the state may contain the category, and how the category moves if the cluster is being migrated.
func (s *scope) setMigration(target *lifecycle.Target, api renderer.API) {
	if target.Deleting() {
		return // the state is destroyed as it is
	}
	target.Former = api.Other().CategoryAddresses()
	if infrav1.MigratingPrismAPI(s.nutanixCluster) == "" {
		return
	}
	target.Remembered.Unfinished = true
	category := migration{central: s.access.Client, value: s.cluster.Name}
	target.Hooks.Migrate = category.toV3
	if api == renderer.APIV4 {
		target.Hooks.Migrate = category.toV4
	}
}

// migration moves the category of a cluster to the resources of the other Prism API.
type migration struct {
	central *prism.Client
	// value is the value of the category.
	value string
}

// toV4 implements lifecycle.Hooks.Migrate.
func (m migration) toV4(ctx context.Context, former []terraform.Resource) (plan.Migration, error) {
	found, err := m.find(ctx)
	if err != nil {
		return plan.Migration{}, err
	}
	return plan.Migration{Forget: addressesOf(former), Import: map[string]string{renderer.CategoryAddressV4: found.UUID}}, nil
}

// toV3 implements lifecycle.Hooks.Migrate. The provider cannot import a value through the v3 API, but creating it changes nothing because
// it exists.
func (m migration) toV3(ctx context.Context, former []terraform.Resource) (plan.Migration, error) {
	if _, err := m.find(ctx); err != nil {
		return plan.Migration{}, err
	}
	return plan.Migration{Forget: addressesOf(former), Import: map[string]string{renderer.CategoryKeyAddress: infrav1.CategoryKey},
		Upsert: []string{renderer.CategoryValueAddress}}, nil
}

// find returns the category. It must exist.
func (m migration) find(ctx context.Context) (*prism.Category, error) {
	found, err := m.central.Category(ctx, infrav1.CategoryKey, m.value)
	if err == nil && found == nil {
		err = &plan.MigrationError{Message: fmt.Sprintf("category %s=%s does not exist in Prism Central", infrav1.CategoryKey, m.value)}
	}
	return found, err
}

func addressesOf(resources []terraform.Resource) []string {
	var addresses []string
	for _, resource := range resources {
		addresses = append(addresses, resource.Address)
	}
	return addresses
}
