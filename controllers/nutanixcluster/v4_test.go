package nutanixcluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// newV4Environment returns a test environment whose cluster uses the v4 API. The category of the cluster does not exist yet.
func newV4Environment(t *testing.T) *testEnvironment {
	t.Helper()
	e := newTestEnvironment(t)
	e.reconciler.ProviderVersions = []string{controllertest.V4Provider}
	e.UseV4(e.Environment)
	e.Prism.RemoveCategory(infrav1.CategoryKey, "c")
	return e
}

func (e *testEnvironment) hasCategory() bool { return e.Prism.HasCategory(infrav1.CategoryKey, "c") }

func TestV4ClusterCreatesAndDestroysItsCategory(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	assert.True(t, e.hasCategory())
	assert.Equal(t, renderer.CategoryAddressV4, e.NutanixCluster.Status.Terraform.LastPlan.Changes[0].Address)
	e.Advance(time.Hour)
	e.settle()
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.False(t, e.hasCategory())
	assert.Empty(t, e.states())
}

// The provider cannot create a category that exists, for example because another cluster with the same name or an interrupted run has created
// it.
func TestV4CategoryThatExistsIsImported(t *testing.T) {
	e := newV4Environment(t)
	e.Prism.PutCategory(infrav1.CategoryKey, "c")
	e.running()
	assert.Equal(t, []string{"import"}, e.NutanixCluster.Status.Terraform.LastPlan.Changes[0].Actions)
	e.delete()
	assert.False(t, e.hasCategory())
}

func TestV4CategoryIsKeptWhileItIsUsed(t *testing.T) {
	for name, use := range map[string]func(e *testEnvironment){
		"by a VM": func(e *testEnvironment) {
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 9), Name: "foreign", CategoryUUIDs: []string{controllertest.CategoryUUID(infrav1.CategoryKey, "c")}})
		},
		"by a cluster of the same name": func(e *testEnvironment) {
			e.reconciler.Client = api
			elsewhere := controllertest.NewEnvironment(e.T, api)
			sameName := controllertest.NewFixture(elsewhere)
			sameName.NutanixCluster.Spec.PrismCentral = controllertest.Endpoint(e.Prism, "c-creds")
			sameName.CreateCluster(elsewhere)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newV4Environment(t)
			e.running()
			use(e)
			e.delete()
			assert.True(t, e.Gone(e.NutanixCluster))
			assert.True(t, e.hasCategory())
			assert.Empty(t, e.states())
			assert.Contains(t, strings.Join(e.Recorder.All(), "\n"), infrav1.CategoryKeptReason)
		})
	}
}

// The provider cannot make a plan while the state contains a category that does not exist.
func TestV4CategoryThatSomebodyDeletedIsCreatedAgain(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	e.Prism.RemoveCategory(infrav1.CategoryKey, "c")
	e.Advance(time.Hour)
	e.settle()
	assert.True(t, e.hasCategory(), "%+v", e.NutanixCluster.Status.Conditions)
	require.True(t, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)

	e.Prism.RemoveCategory(infrav1.CategoryKey, "c")
	e.Advance(time.Hour)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster), "a deletion ends without the category")
}

// A run that was interrupted after the create leaves a category that is not in the state.
func TestV4CategoryOfAnInterruptedRunIsDestroyed(t *testing.T) {
	e := newV4Environment(t)
	e.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "interrupted"})
	e.CreateCluster(e.Environment)
	e.settle()
	e.Prism.PutCategory(infrav1.CategoryKey, "c")
	e.Advance(time.Minute)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.False(t, e.hasCategory())
}
