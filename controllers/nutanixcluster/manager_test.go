package nutanixcluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

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

// A machine without finalizers goes without having been marked as going.
func TestOnlyDeletes(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	assert.True(t, onlyDeletes.Delete(event.DeleteEvent{Object: machine}))
	assert.False(t, onlyDeletes.Create(event.CreateEvent{Object: machine}))
	assert.False(t, onlyDeletes.Update(event.UpdateEvent{ObjectOld: machine, ObjectNew: machine}))
}

// late lists nothing, as a cache does that has not heard yet of what was made a moment ago.
type late struct{ client.Client }

func (late) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// What the cache has not heard of is waited for, and let go, all the same.
func TestDeletionLooksPastTheCache(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Create(w.NutanixMachine)
	w.reconciler.Client = late{w.reconciler.Client}
	w.delete()
	require.False(t, w.Gone(w.NutanixCluster))
	w.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForMachinesDeletedReason)
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.settle()
	assert.True(t, w.Gone(w.NutanixCluster))
	require.False(t, w.Gone(w.Credentials))
	assert.Empty(t, w.Credentials.Finalizers)
}
