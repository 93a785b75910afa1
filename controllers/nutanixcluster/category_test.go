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
	"github.com/capnt/capnt/renderer"
)

// The category value is the name of the Cluster. The value stays while another Cluster with the same name in the same
// Prism Central uses it, and while it is assigned to a VM of another cluster.
func TestCategoryInUseIsKept(t *testing.T) {
	tests := map[string]struct {
		arrange func(e *testEnvironment)
		kept    string
	}{
		"a Cluster of the same name": {func(e *testEnvironment) {
			elsewhere := controllertest.NewEnvironment(e.T, api)
			sameName := controllertest.NewFixture(elsewhere)
			sameName.NutanixCluster.Spec.PrismCentral = controllertest.Endpoint(e.Prism, "c-creds")
			sameName.CreateCluster(elsewhere)
		}, "/c uses it"},
		"a Cluster of the same name in another Prism Central": {func(e *testEnvironment) {
			elsewhere := controllertest.NewEnvironment(e.T, api)
			controllertest.NewFixture(elsewhere).CreateCluster(elsewhere)
		}, ""},
		"a Cluster of the same name that is being deleted, too": {func(e *testEnvironment) {
			elsewhere := controllertest.NewEnvironment(e.T, api)
			sameName := controllertest.NewFixture(elsewhere)
			sameName.NutanixCluster.Spec.PrismCentral = controllertest.Endpoint(e.Prism, "c-creds")
			sameName.NutanixCluster.Finalizers = []string{infrav1.NutanixClusterFinalizer}
			sameName.CreateCluster(elsewhere)
			require.NoError(e.T, api.Delete(e.T.Context(), sameName.NutanixCluster))
		}, ""},
		"VMs of a cluster of another manager": {func(e *testEnvironment) {
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, "virtual machine theirs (" + controllertest.UUID(6, 1) + ") carries it"},
		"a VM that lists contain although it was deleted": {func(e *testEnvironment) {
			e.Prism.Linger(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "former", Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, ""},
		"a VM that is being deleted": {func(e *testEnvironment) {
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "former", State: "DELETE_PENDING",
				Categories: map[string]string{infrav1.CategoryKey: "c"}})
		}, ""},
		"account that may not list VMs": {func(e *testEnvironment) { e.Prism.Refuse("vms/list", http.StatusForbidden) }, ""},
		"account that may list a VM but not read it": {func(e *testEnvironment) {
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "c"}})
			e.Prism.Refuse("vms/"+controllertest.UUID(6, 1), http.StatusForbidden)
		}, ""},
		"VMs of another cluster": {func(e *testEnvironment) {
			e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 1), Name: "theirs", Categories: map[string]string{infrav1.CategoryKey: "d"}})
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.reconciler.Client = api
			e.running()
			test.arrange(e)
			e.delete()
			assert.True(t, e.Gone(e.NutanixCluster))
			assert.Empty(t, e.states())
			events := strings.Join(e.Recorder.All(), "\n")
			if test.kept == "" {
				assert.Contains(t, e.Terraform.Runs(), "apply", "the value is destroyed")
				assert.NotContains(t, events, infrav1.CategoryKeptReason)
				return
			}
			assert.NotContains(t, e.Terraform.Runs(), "apply", "nothing is destroyed")
			assert.Equal(t, 1, strings.Count(events, infrav1.CategoryKeptReason))
			assert.Contains(t, events, test.kept)
		})
	}
}

// All clusters share the category key. Clusters with the same name in the same Prism Central share the category value, too.
func TestSharedResources(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.Client = api
	e.running()
	shared := func() []string {
		addresses, err := e.reconciler.shared(t.Context(), &scope{cluster: e.Cluster, nutanixCluster: e.NutanixCluster})
		require.NoError(t, err)
		return addresses
	}
	assert.Equal(t, []string{renderer.CategoryKeyAddress}, shared())
	elsewhere := controllertest.NewEnvironment(t, api)
	sameName := controllertest.NewFixture(elsewhere)
	sameName.NutanixCluster.Spec.PrismCentral = controllertest.Endpoint(e.Prism, "c-creds")
	sameName.CreateCluster(elsewhere)
	assert.Equal(t, []string{renderer.CategoryKeyAddress, renderer.CategoryValueAddress, renderer.CategoryAddressV4}, shared())
}

func TestPrismCentralOf(t *testing.T) {
	tests := map[string]struct {
		address string
		port    int32
		same    bool
	}{
		"same address":    {"prism.example.com", 9440, true},
		"in another case": {"Prism.Example.COM", 9440, true},
		"default port":    {"prism.example.com", 0, true},
		"another port":    {"prism.example.com", 9441, false},
		"another address": {"prism2.example.com", 9440, false},
	}
	cluster := func(address string, port int32) *infrav1.NutanixCluster {
		return &infrav1.NutanixCluster{Spec: infrav1.NutanixClusterSpec{PrismCentral: &infrav1.NutanixPrismEndpoint{Address: address, Port: port}}}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			same := prismCentralOf(cluster(test.address, test.port)) == prismCentralOf(cluster("prism.example.com", 9440))
			assert.Equal(t, test.same, same)
		})
	}
}

// An entity that is in no list may use the category value. The error response of Prism Central to the deletion is not
// documented, so any repeated failure keeps the value.
func TestCategoryIsKeptAfterRefusedDeletions(t *testing.T) {
	refusal := &terraform.Error{Verb: "apply", Class: terraform.Unknown, Message: "status: 418, reason: CATEGORY_ON_FIRE"}
	locked := &terraform.Error{Verb: "apply", Class: terraform.LockHeld, Message: "the state is locked"}
	backend := &terraform.Error{Verb: "apply", Class: terraform.Transient, Source: terraform.SourceBackend, Message: "saving state failed"}
	tests := map[string]struct {
		failure  *terraform.Error
		failures int
		kept     bool
		reason   string
	}{
		"refused by every attempt":     {refusal, keptAfter, true, infrav1.ApplyFailedReason},
		"refused while the list lags":  {refusal, keptAfter - 1, false, infrav1.ApplyFailedReason},
		"locked for longer than that":  {locked, keptAfter, false, infrav1.StateLockedReason},
		"no backend for longer":        {backend, keptAfter, false, infrav1.StateBackendFailedReason},
		"deleted by the first attempt": {nil, 0, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			for range test.failures {
				e.Terraform.Fail("apply", test.failure)
			}
			e.delete()
			for i := 0; i < keptAfter && !e.Gone(e.NutanixCluster); i++ {
				e.requireFalse(infrav1.AppliedCondition, test.reason)
				e.Advance(time.Minute)
				e.settle()
			}
			require.True(t, e.Gone(e.NutanixCluster), "%+v", e.NutanixCluster.Status.Conditions)
			assert.Empty(t, e.states())
			events := strings.Join(e.Recorder.All(), "\n")
			assert.Equal(t, test.kept, strings.Contains(events, infrav1.CategoryKeptReason), events)
			if test.kept {
				assert.Contains(t, events, "CATEGORY_ON_FIRE")
			}
		})
	}
}

// A transient failure of the look-up does not show whether the value is in use.
func TestCategoryDeletionIsRetriedWhilePrismCentralFails(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Prism.Refuse("vms/list", http.StatusServiceUnavailable)
	e.delete()
	require.False(t, e.Gone(e.NutanixCluster))
	e.requireFalse(infrav1.AppliedCondition, infrav1.PrismUnreachableReason)
	assert.Empty(t, e.Terraform.Runs())
	e.Prism.Refuse("vms/list", 0)
	e.settle()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.NotContains(t, strings.Join(e.Recorder.All(), "\n"), infrav1.CategoryKeptReason)
}

// If a Cluster is removed by force, its NutanixCluster remains because of the finalizer. The deletion of the
// NutanixCluster must still end.
func TestDeletionWithoutClusterEnds(t *testing.T) {
	for name, orphan := range map[string]bool{"with the reference to its owner": false, "without it": true} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			require.NoError(t, api.Delete(t.Context(), e.Cluster))
			if orphan {
				mutate(e, func(cluster *infrav1.NutanixCluster) { cluster.OwnerReferences = nil })
			}
			e.delete()
			assert.True(t, e.Gone(e.NutanixCluster))
			assert.Contains(t, e.Terraform.Runs(), "apply", "the category value is destroyed")
			assert.Empty(t, e.states())
		})
	}
}
