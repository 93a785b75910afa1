package nutanixplandecision

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// trail keeps the records of an audit trail, or fails.
type trail struct {
	records []audit.Record
	err     error
}

func (t *trail) Append(_ context.Context, record audit.Record) error {
	if t.err == nil {
		t.records = append(t.records, record)
	}
	return t.err
}

// revision returns the Git revision of all objects.
func revision(context.Context, client.Object) string { return "main@sha1:5e1f" }

// newAPI returns a decision with the UID and a client of an API server that contains the decision.
func newAPI(t *testing.T, uid types.UID) (*infrav1.NutanixPlanDecision, client.WithWatch) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	decision := &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "d", UID: uid, Finalizers: []string{infrav1.NutanixPlanDecisionFinalizer}},
		Spec:       infrav1.NutanixPlanDecisionSpec{Changes: []string{"sha256:1"}},
	}
	return decision, fake.NewClientBuilder().WithScheme(scheme).WithObjects(decision.DeepCopy()).Build()
}

// A plan uses the decision while it is recorded, so the finalizer cannot be removed at once. A later decision with the same name is another
// one.
func TestDecisionIsRecordedOnce_AfterConflict(t *testing.T) {
	decision, api := newAPI(t, "1")
	conflicts := 1
	written := &trail{}
	reconciler := &Reconciler{Trail: written, Revision: revision, Client: interceptor.NewClient(api, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if conflicts--; conflicts >= 0 {
				return apierrors.NewConflict(schema.GroupResource{Resource: "nutanixplandecisions"}, object.GetName(), errors.New("used"))
			}
			return c.Patch(ctx, object, patch, options...)
		},
	})}
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(decision)}
	_, err := reconciler.Reconcile(t.Context(), request)
	require.ErrorContains(t, err, "removing the finalizer")
	_, err = reconciler.Reconcile(t.Context(), request)
	require.NoError(t, err)
	assert.Len(t, written.records, 1)
	require.NoError(t, api.Get(t.Context(), request.NamespacedName, decision))
	assert.Empty(t, decision.Finalizers)

	_, reconciler.Client = newAPI(t, "2")
	_, err = reconciler.Reconcile(t.Context(), request)
	require.NoError(t, err)
	assert.Len(t, written.records, 2)
}

func TestDecisionIsKeptUntilItIsRecorded(t *testing.T) {
	decision, api := newAPI(t, "1")
	written := &trail{err: errors.New("the disk is full")}
	reconciler := &Reconciler{Client: api, Trail: written, Revision: revision}
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(decision)}

	require.NoError(t, api.Delete(t.Context(), decision))
	_, err := reconciler.Reconcile(t.Context(), request)
	require.ErrorContains(t, err, "the disk is full")
	require.NoError(t, api.Get(t.Context(), request.NamespacedName, decision))

	written.err = nil
	_, err = reconciler.Reconcile(t.Context(), request)
	require.NoError(t, err)
	require.Len(t, written.records, 1)
	assert.Equal(t, "main@sha1:5e1f", written.records[0].Revision)
	require.Error(t, api.Get(t.Context(), request.NamespacedName, decision))
	_, err = reconciler.Reconcile(t.Context(), request)
	require.NoError(t, err)
	assert.Len(t, written.records, 1)
}
