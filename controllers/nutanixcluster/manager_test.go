package nutanixcluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// Events alone trigger every reconcile that the cluster needs. The test does not wait for a periodic reconcile.
func TestClusterUnderAManager(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.PrismCentral.CredentialRef.Name = "c-creds"
	e.Manage(config, e.reconciler, &e.reconciler.Dependencies)
	e.CreateCluster(e.Environment)
	ready := func(want bool) func() bool {
		return func() bool { return !e.Gone(e.NutanixCluster) && e.NutanixCluster.Status.Ready == want }
	}
	e.Eventually("ready", ready(true))

	e.ChangePassword(e.Environment, "a wrong one")
	e.Eventually("a changed Secret is noticed", ready(false))
	e.requireFalse(infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason)
	e.ChangePassword(e.Environment, controllertest.Password)
	e.Eventually("a corrected Secret is noticed", ready(true))

	e.Create(e.NutanixMachine)
	require.NoError(t, api.Delete(t.Context(), e.NutanixCluster))
	require.NoError(t, api.Delete(t.Context(), e.Credentials))
	e.Eventually("it waits for its machine", func() bool {
		return !e.Gone(e.NutanixCluster) && len(e.NutanixCluster.Status.Conditions) > 0 && e.NutanixCluster.Status.Conditions[0].Reason == infrav1.DeletingReason
	})
	e.Terraform.Runs()
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.Eventually("gone", func() bool { return e.Gone(e.NutanixCluster) && e.Gone(e.Credentials) })
	assert.Empty(t, e.states())
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
}

// emptyCache is a client whose lists are empty, as in a cache that has not received new objects yet.
type emptyCache struct{ client.Client }

func (emptyCache) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// The deletion of a cluster finds machines and credentials that the cache does not contain yet.
func TestDeletionReadsPastTheCache(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Create(e.NutanixMachine)
	e.reconciler.Client = emptyCache{e.reconciler.Client}
	e.delete()
	require.False(t, e.Gone(e.NutanixCluster))
	e.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForMachinesDeletedReason)
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.settle()
	assert.True(t, e.Gone(e.NutanixCluster))
	require.False(t, e.Gone(e.Credentials))
	assert.Empty(t, e.Credentials.Finalizers)
}
