package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/renderer"
)

// refusedFor is how long an object whose migration was refused is not migrated, so that its ordinary plans can find and remove the cause.
const refusedFor = 5 * time.Minute

// Migrations begins and ends the migrations of objects to the other Prism API. Its zero value is ready for use.
type Migrations struct {
	// beginning is locked while the controller decides which object begins next.
	beginning sync.Mutex

	mu      sync.Mutex
	refused map[string]refusal
}

// refusal says why and until when an object is not migrated.
type refusal struct {
	hold  plan.Hold
	until time.Time
}

// AskedAPI returns the Prism API that the owner of a cluster asks for, or an empty string.
func AskedAPI(cluster *infrav1.NutanixCluster) infrav1.PrismAPI {
	if cluster.Spec.Terraform == nil {
		return ""
	}
	return cluster.Spec.Terraform.API
}

// Migrate begins the migration of an object if the owner asks for it and wait returns nil. wait returns what the migration waits for. If
// the owner asks for the other API during a migration, the migration turns back. If the last run found that the state does not match the
// recorded API, the migration begins at once, because nothing else can be planned. key is the key of the object's target. Migrate writes
// the condition PrismAPIMigrated.
func (d *Dependencies) Migrate(
	ctx context.Context, migrations *Migrations, cluster *infrav1.NutanixCluster, object Object, key string, wait func() (*plan.Hold, error),
) error {
	asked, migrating := AskedAPI(cluster), infrav1.MigratingPrismAPI(object)
	if migrating == "" && asked != "" && conditions.GetReason(object, infrav1.PlanRecordedCondition) == infrav1.PrismAPIMismatchReason {
		wait = func() (*plan.Hold, error) { return migrations.refusedNow(key, d.Pipeline.Clock.Now()), nil }
	} else if migrating == "" && asked == infrav1.RecordedPrismAPI(object) {
		if conditions.Has(object, infrav1.PrismAPIMigratedCondition) {
			Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionTrue, infrav1.MigratedReason, "")
		}
		return nil
	}
	switch {
	case !d.HasWorkspaceKey(object):
		return nil
	case migrating != "" && (asked == "" || asked == migrating):
		setMigrating(object, migrating)
		return nil
	case migrating == "" && asked == "":
		conditions.Delete(object, infrav1.PrismAPIMigratedCondition)
		return nil
	}
	migrations.beginning.Lock()
	defer migrations.beginning.Unlock()
	if migrating == "" {
		hold, err := wait()
		if err != nil {
			return err
		}
		if hold != nil {
			Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionFalse, hold.Reason, hold.Message)
			return nil
		}
	}
	setMigrating(object, asked)
	return d.changeAnnotations(ctx, object, func(annotations map[string]string) {
		annotations[infrav1.PrismAPIMigrationAnnotation] = string(asked)
	})
}

func setMigrating(object Object, api infrav1.PrismAPI) {
	Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionFalse, infrav1.MigratingReason,
		fmt.Sprintf("the object is being migrated to the %s API", api))
}

// WaitForMigration returns what the migration of every object of a cluster waits for: the spec and the plans of the object, the version of
// the provider, and the end of a refusal.
func (d *Dependencies) WaitForMigration(migrations *Migrations, cluster *infrav1.NutanixCluster, object Object, key string) *plan.Hold {
	if hold := migrations.refusedNow(key, d.Pipeline.Clock.Now()); hold != nil {
		return hold
	}
	waiting := func(message string) *plan.Hold {
		return &plan.Hold{Reason: infrav1.WaitingForMigrationReason, Message: message}
	}
	switch {
	case planWaited(object):
		return waiting("a plan of the object waits for a decision")
	case !inSync(object):
		return waiting("the spec of the object is not applied yet: see condition " + infrav1.AppliedCondition)
	case d.Pipeline.Scheduler.Running(key):
		return waiting("a Terraform run of the object has not ended")
	}
	var problem *Problem
	if _, err := d.versionWith(renderer.APIV4, cluster, object); errors.As(err, &problem) {
		return &plan.Hold{Reason: problem.Reason, Message: problem.Message}
	}
	return nil
}

// EndMigration ends a step of a migration with its result. If the state contains only the resources of the new API, the object is
// migrated. If the migration was refused or the infrastructure must not be changed now, the object stays with its API, and a later attempt
// follows.
func (d *Dependencies) EndMigration(
	ctx context.Context, migrations *Migrations, object Object, status *infrav1.TerraformStatus, key string, result lifecycle.Result,
) error {
	api := infrav1.MigratingPrismAPI(object)
	var refused *plan.MigrationError
	switch {
	case api == "":
		return nil
	case result.State == lifecycle.InSync, result.Waiting() && result.Plan != nil && !result.Plan.Migrates():
		Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionTrue, infrav1.MigratedReason, "")
		status.API = api
		return d.changeAnnotations(ctx, object, func(annotations map[string]string) {
			annotations[infrav1.PrismAPIAnnotation] = string(api)
			delete(annotations, infrav1.PrismAPIMigrationAnnotation)
		})
	case result.State == lifecycle.Failed && errors.As(result.Err, &refused):
		hold := plan.Hold{Reason: cmp.Or(refused.Reason, infrav1.MigrationRefusedReason), Message: refused.Message}
		return d.refuseMigration(ctx, migrations, object, key, hold)
	case result.State == lifecycle.Held:
		return d.refuseMigration(ctx, migrations, object, key, *result.Hold)
	case result.Err != nil:
		Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionFalse, lifecycle.FailureReason(result.Err), result.Err.Error())
	}
	return nil
}

// RefuseMigration ends a migration whose target could not be prepared because of err. The object stays with its API, and a later attempt
// follows.
func (d *Dependencies) RefuseMigration(ctx context.Context, migrations *Migrations, object Object, key string, err error) error {
	problem := Diagnose(err)
	return d.refuseMigration(ctx, migrations, object, key, plan.Hold{Reason: problem.Reason, Message: problem.Message})
}

func (d *Dependencies) refuseMigration(ctx context.Context, migrations *Migrations, object Object, key string, hold plan.Hold) error {
	migrations.refuse(key, hold, d.Pipeline.Clock.Now().Add(refusedFor))
	Set(object, infrav1.PrismAPIMigratedCondition, metav1.ConditionFalse, hold.Reason, hold.Message)
	return d.changeAnnotations(ctx, object, func(annotations map[string]string) {
		delete(annotations, infrav1.PrismAPIMigrationAnnotation)
	})
}

// changeAnnotations changes the annotations of an object past the cache, and then in object.
func (d *Dependencies) changeAnnotations(ctx context.Context, object Object, change func(annotations map[string]string)) error {
	current := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	key := client.ObjectKeyFromObject(object)
	if err := d.Reader.Get(ctx, key, current); err != nil {
		return fmt.Errorf("reading %s past the cache: %w", key, err)
	}
	before := current.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
	changed := func(object client.Object) {
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		change(annotations)
		object.SetAnnotations(annotations)
	}
	changed(current)
	if err := d.Client.Patch(ctx, current, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("recording the migration of %s to the other Prism API: %w", key, err)
	}
	changed(object)
	return nil
}

func (m *Migrations) refuse(key string, hold plan.Hold, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused == nil {
		m.refused = map[string]refusal{}
	}
	m.refused[key] = refusal{hold, until}
}

// refusedNow returns why an object is not migrated now, or nil.
func (m *Migrations) refusedNow(key string, now time.Time) *plan.Hold {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, found := m.refused[key]
	if !found || !now.Before(last.until) {
		delete(m.refused, key)
		return nil
	}
	return ptr.To(last.hold)
}
