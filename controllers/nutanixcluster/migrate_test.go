package nutanixcluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/renderer"
)

// askForMigration makes the owner of the cluster ask for an API.
func (e *testEnvironment) askForMigration(api infrav1.PrismAPI) {
	e.T.Helper()
	e.reconciler.ProviderVersions = []string{"1.9.5", controllertest.V4Provider}
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{API: api}
	})
}

func (e *testEnvironment) requireMigrated(api infrav1.PrismAPI, address string) {
	e.T.Helper()
	assert.Equal(e.T, api, infrav1.RecordedPrismAPI(e.NutanixCluster))
	assert.Empty(e.T, infrav1.MigratingPrismAPI(e.NutanixCluster))
	assert.True(e.T, conditions.IsTrue(e.NutanixCluster, infrav1.PrismAPIMigratedCondition), "%+v", e.NutanixCluster.Status.Conditions)
	assert.True(e.T, e.NutanixCluster.Status.Ready)
	assert.Equal(e.T, infrav1.PlanCauseMigrate, e.NutanixCluster.Status.Terraform.LastPlan.Cause)
	assert.Equal(e.T, address, e.NutanixCluster.Status.Terraform.LastPlan.Changes[0].Address)
}

// The category moves to the v4 API before the machines, and back after them.
func TestClusterIsMigratedAndBack(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.PutCategory(infrav1.CategoryKey, "c")
	e.running()
	e.Prism.Requests()
	e.askForMigration(infrav1.PrismAPIV4)
	e.settle()
	e.requireMigrated(infrav1.PrismAPIV4, renderer.CategoryAddressV4)
	for _, request := range e.Prism.Requests() {
		assert.NotContains(t, request, http.MethodPut+" ")
	}

	machine := e.NutanixMachine
	metav1.SetMetaDataAnnotation(&machine.ObjectMeta, infrav1.PrismAPIAnnotation, string(infrav1.PrismAPIV4))
	e.Create(machine)
	e.askForMigration(infrav1.PrismAPIV3)
	e.settle()
	e.RequireFalse(e.NutanixCluster, infrav1.PrismAPIMigratedCondition, infrav1.WaitingForMigrationReason)
	assert.Equal(t, "1 machines are migrated first", conditions.GetMessage(e.NutanixCluster, infrav1.PrismAPIMigratedCondition))
	assert.True(t, e.NutanixCluster.Status.Ready)

	controllertest.Change(e.Environment, machine, func(machine *infrav1.NutanixMachine) { machine.Annotations[infrav1.PrismAPIAnnotation] = "v3" })
	e.settle()
	e.requireMigrated(infrav1.PrismAPIV3, renderer.CategoryKeyAddress)
	e.Terraform.Runs()
	e.Advance(time.Hour)
	e.settle()
	assert.NotContains(t, e.Terraform.Runs(), "apply")
}

// Without the category there is nothing to migrate. The ordinary plan of the cluster creates it.
func TestClusterWithoutItsCategoryIsNotMigrated(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.askForMigration(infrav1.PrismAPIV4)
	e.settle()
	e.RequireFalse(e.NutanixCluster, infrav1.PrismAPIMigratedCondition, infrav1.MigrationRefusedReason)
	assert.Equal(t, infrav1.PrismAPIV3, infrav1.RecordedPrismAPI(e.NutanixCluster))
	assert.True(t, e.NutanixCluster.Status.Ready)
}

// An interrupted migration can leave the resources of either API in the state. None of them is destroyed while a VM has the category.
func TestCategoryInUseIsKeptDuringAMigration(t *testing.T) {
	for recorded, migrating := range map[string]string{"v3": "v4", "v4": "v3"} {
		t.Run(recorded, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.PutCategory(infrav1.CategoryKey, "c")
			e.running()
			e.reconciler.ProviderVersions = []string{"1.9.5", controllertest.V4Provider}
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
				cluster.Annotations[infrav1.PrismAPIAnnotation], cluster.Annotations[infrav1.PrismAPIMigrationAnnotation] = recorded, migrating
			})
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "c"},
				CategoryUUIDs: []string{controllertest.CategoryUUID(infrav1.CategoryKey, "c")}})
			e.Terraform.Runs()
			e.delete()
			assert.True(t, e.Gone(e.NutanixCluster))
			assert.NotContains(t, e.Terraform.Runs(), "apply", "nothing is destroyed")
		})
	}
}
