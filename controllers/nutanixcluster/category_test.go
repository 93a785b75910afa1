package nutanixcluster

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/terraform"
)

// The category value is the name of the Cluster. It stays while another Cluster of the same name in the same Prism Central uses it,
// or a VM that is not of this cluster carries it.
func TestCategoryInUseIsKept(t *testing.T) {
	tests := map[string]struct {
		arrange func(w *world)
		kept    string
	}{
		"a Cluster of the same name": {func(w *world) {
			elsewhere := controllertest.NewBed(w.T, api)
			sameName := controllertest.NewFixture(elsewhere)
			sameName.NutanixCluster.Spec.PrismCentral = controllertest.Endpoint(w.Prism, "c-creds")
			sameName.CreateCluster(elsewhere)
		}, "/c uses it"},
		"a Cluster of the same name in another Prism Central": {func(w *world) {
			elsewhere := controllertest.NewBed(w.T, api)
			controllertest.NewFixture(elsewhere).CreateCluster(elsewhere)
		}, ""},
		"VMs of a cluster that this manager does not see": {func(w *world) {
			w.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, "virtual machine theirs (" + controllertest.UUID(6, 1) + ") carries it"},
		"a VM that lists contain although it was deleted": {func(w *world) {
			w.Prism.Linger(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "former", Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, ""},
		"a VM that is being deleted": {func(w *world) {
			w.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "former", State: "DELETE_PENDING",
				Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, ""},
		"unknown to an account that may not list VMs": {func(w *world) { w.Prism.Refuse("vms/list", http.StatusForbidden) }, ""},
		"VMs of another cluster": {func(w *world) {
			w.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "d"}})
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.reconciler.Client = api
			w.running()
			test.arrange(w)
			w.delete()
			assert.True(t, w.Gone(w.NutanixCluster))
			assert.Empty(t, w.states())
			events := strings.Join(w.Recorder.All(), "\n")
			if test.kept == "" {
				assert.Contains(t, w.Terraform.Runs(), "apply", "the value is destroyed")
				assert.NotContains(t, events, infrav1.CategoryKeptReason)
				return
			}
			assert.NotContains(t, w.Terraform.Runs(), "apply", "nothing is destroyed")
			assert.Equal(t, 1, strings.Count(events, infrav1.CategoryKeptReason))
			assert.Contains(t, events, test.kept)
		})
	}
}

// Something that no list shows may use the value, and nobody knows how Prism Central refuses then.
func TestCategoryThatPrismCentralDoesNotDeleteIsKept(t *testing.T) {
	refusal := &terraform.Error{Verb: "apply", Class: terraform.Unknown, Message: "status: 418, reason: CATEGORY_ON_FIRE"}
	locked := &terraform.Error{Verb: "apply", Class: terraform.LockHeld, Message: "the state is locked"}
	backend := &terraform.Error{Verb: "apply", Class: terraform.Transient, Source: terraform.SourceBackend, Message: "saving state failed"}
	tests := map[string]struct {
		failure  *terraform.Error
		failures int
		kept     bool
		reason   string
	}{
		"refused every time":             {refusal, keptAfter, true, infrav1.ApplyFailedReason},
		"refused while the list lags":    {refusal, keptAfter - 1, false, infrav1.ApplyFailedReason},
		"locked for longer than that":    {locked, keptAfter, false, infrav1.StateLockedReason},
		"no backend for longer":          {backend, keptAfter, false, infrav1.StateBackendFailedReason},
		"deleted with the first attempt": {nil, 0, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			for range test.failures {
				w.Terraform.Fail("apply", test.failure)
			}
			w.delete()
			for i := 0; i < keptAfter && !w.Gone(w.NutanixCluster); i++ {
				w.requireFalse(infrav1.AppliedCondition, test.reason)
				w.Advance(time.Minute)
				w.settle()
			}
			require.True(t, w.Gone(w.NutanixCluster), "%+v", w.NutanixCluster.Status.Conditions)
			assert.Empty(t, w.states())
			events := strings.Join(w.Recorder.All(), "\n")
			assert.Equal(t, test.kept, strings.Contains(events, infrav1.CategoryKeptReason), events)
			if test.kept {
				assert.Contains(t, events, "CATEGORY_ON_FIRE")
			}
		})
	}
}

// A passing fault of the look-up says nothing about who uses the value.
func TestCategoryIsNotGivenUpWhilePrismCentralFails(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Prism.Refuse("vms/list", http.StatusServiceUnavailable)
	w.delete()
	require.False(t, w.Gone(w.NutanixCluster))
	w.requireFalse(infrav1.AppliedCondition, infrav1.PrismUnreachableReason)
	assert.Empty(t, w.Terraform.Runs())
	w.Prism.Refuse("vms/list", 0)
	w.settle()
	assert.True(t, w.Gone(w.NutanixCluster))
	assert.NotContains(t, strings.Join(w.Recorder.All(), "\n"), infrav1.CategoryKeptReason)
}

// A Cluster that is removed by force leaves a NutanixCluster with a finalizer behind.
func TestDeletionOutlivesTheCluster(t *testing.T) {
	for name, orphan := range map[string]bool{"with the reference to its owner": false, "without it": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			require.NoError(t, api.Delete(t.Context(), w.Cluster))
			if orphan {
				mutate(w, func(cluster *infrav1.NutanixCluster) { cluster.OwnerReferences = nil })
			}
			w.delete()
			assert.True(t, w.Gone(w.NutanixCluster))
			assert.Contains(t, w.Terraform.Runs(), "apply", "the category value is destroyed")
			assert.Empty(t, w.states())
		})
	}
}
