package nutanixcluster

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// The watches carry a cluster through its life: nothing here waits for a periodic reconcile.
func TestManagedCluster(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Spec.PrismCentral.CredentialRef.Name = "c-creds"
	w.Manage(config, w.reconciler, &w.reconciler.Dependencies)
	w.CreateCluster(w.Bed)
	ready := func(want bool) func() bool {
		return func() bool { return !w.Gone(w.NutanixCluster) && w.NutanixCluster.Status.Ready == want }
	}
	w.Eventually("ready", ready(true))

	w.ChangePassword(w.Bed, "a wrong one")
	w.Eventually("a changed Secret is noticed", ready(false))
	w.requireFalse(infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason)
	w.ChangePassword(w.Bed, controllertest.Password)
	w.Eventually("and a corrected one", ready(true))

	w.Create(w.NutanixMachine)
	require.NoError(t, api.Delete(t.Context(), w.NutanixCluster))
	require.NoError(t, api.Delete(t.Context(), w.Credentials))
	w.Eventually("it waits for its machine", func() bool {
		return !w.Gone(w.NutanixCluster) && len(w.NutanixCluster.Status.Conditions) > 0 && w.NutanixCluster.Status.Conditions[0].Reason == infrav1.DeletingReason
	})
	w.Terraform.Runs()
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.Eventually("gone", func() bool { return w.Gone(w.NutanixCluster) && w.Gone(w.Credentials) })
	assert.Empty(t, w.states())
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
}
