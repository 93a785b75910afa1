package nutanixplandecision

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

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

func TestDecisionIsKeptUntilItIsRecorded(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	decision := &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "d", Finalizers: []string{infrav1.NutanixPlanDecisionFinalizer}},
		Spec:       infrav1.NutanixPlanDecisionSpec{Changes: []string{"sha256:1"}},
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(decision).Build()
	written := &trail{err: errors.New("the disk is full")}
	revision := func(context.Context, client.Object) string { return "main@sha1:5e1f" }
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
