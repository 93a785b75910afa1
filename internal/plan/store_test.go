package plan

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// trail is a double of the audit trail.
type trail struct {
	records []audit.Record
	err     error
	// check is called before a record is added.
	check func()
}

func (t *trail) Append(_ context.Context, record audit.Record) error {
	if t.check != nil {
		t.check()
	}
	if t.err == nil {
		t.records = append(t.records, record)
	}
	return t.err
}

func newTestStore(t *testing.T, funcs interceptor.Funcs) *Store {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(funcs).
		WithStatusSubresource(&infrav1.NutanixPlan{}, &infrav1.NutanixPlanDecision{}).Build()
	return &Store{Client: api, Reader: api, Namespace: "capnt-system", Clock: clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))}
}

func testRecord() Record {
	return Build(Origin{
		Target: infrav1.PlanTarget{Key: "key", Kind: "NutanixMachine", Namespace: "prod", Name: "m", VMUUID: "vm-1"},
		Source: infrav1.PlanOrigin{Author: "alice", Cluster: "c"}, Basis: Basis{Lineage: "l", Serial: 3},
	}, []byte("file"), planned())
}

func TestEverythingIsAuditedBeforeItIsWritten(t *testing.T) {
	store := newTestStore(t, interceptor.Funcs{})
	written := &trail{}
	store.Trail = written
	phases := func() (phases []infrav1.PlanPhase) {
		list := &infrav1.NutanixPlanList{}
		require.NoError(t, store.Client.List(t.Context(), list))
		for _, object := range list.Items {
			phases = append(phases, object.Status.Phase)
		}
		return phases
	}
	written.check = func() { assert.Empty(t, phases()) }
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	written.check = func() { assert.Equal(t, []infrav1.PlanPhase{""}, phases()) }
	verdict := Verdict{Decision: Approved, Reason: "approved by bob", counted: []counted{{decision: infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Name: "d"}}}}}
	stored, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, verdict.Reason, verdict)
	require.NoError(t, err)
	written.check = func() { assert.Equal(t, []infrav1.PlanPhase{infrav1.PlanPhaseApplying}, phases()) }
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplied, "", Verdict{})
	require.NoError(t, err)

	require.Len(t, written.records, 3)
	for i, kind := range []audit.Kind{audit.Plan, audit.Apply, audit.Result} {
		record := written.records[i]
		assert.Equal(t, kind, record.Kind)
		assert.Equal(t, "prod/"+stored.Object.Name, record.Plan)
		assert.Equal(t, audit.Target{Kind: "NutanixMachine", Namespace: "prod", Name: "m", Key: "key", VMUUID: "vm-1"}, record.Target)
		assert.Equal(t, stored.Record.ChangeDigest, record.ChangeDigest)
		assert.Equal(t, audit.State{Lineage: "l", Serial: 3}, record.State)
		assert.Equal(t, stored.Record.SHA256, record.FileSHA256)
	}
	assert.Equal(t, "alice", written.records[0].By.Username)
	assert.Equal(t, "approved by bob with NutanixPlanDecision d", written.records[1].Message)
	assert.Equal(t, "Applied", written.records[2].Verdict)
}

func TestNothingIsWritten_IfItCannotBeAudited(t *testing.T) {
	store := newTestStore(t, interceptor.Funcs{})
	broken := &trail{err: errors.New("the disk is full")}
	store.Trail = broken
	_, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.ErrorContains(t, err, "the disk is full")
	list := &infrav1.NutanixPlanList{}
	require.NoError(t, store.Client.List(t.Context(), list))
	assert.Empty(t, list.Items)

	broken.err = nil
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	broken.err = errors.New("the disk is full")
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.ErrorContains(t, err, "the disk is full")
	require.NoError(t, store.Client.Get(t.Context(), stored.Key(), stored.Object.DeepCopy()))
	require.NoError(t, store.Client.List(t.Context(), list))
	assert.Empty(t, list.Items[0].Status.Phase)
}

// TestResultIsAuditedOnce_IfThePhaseCannotBeWritten closes a plan twice, because the first attempt fails after the audit trail contains the
// result. The second attempt, for example of the next run, may have another result.
func TestResultIsAuditedOnce_IfThePhaseCannotBeWritten(t *testing.T) {
	away := errors.New("the API server is away")
	var refuse error
	store := newTestStore(t, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, api client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if refuse != nil {
				return refuse
			}
			return api.SubResource(name).Update(ctx, object, options...)
		},
	})
	written := &trail{}
	store.Trail = written
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	stored, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.NoError(t, err)
	refuse = away
	for _, message := range []string{"first", "second"} {
		_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplied, message, Verdict{})
		require.ErrorIs(t, err, away)
	}
	refuse = nil
	closed, err := store.SetPhase(t.Context(), stored, infrav1.PlanPhaseFailed, "interrupted", Verdict{})
	require.NoError(t, err)
	assert.Equal(t, infrav1.PlanPhaseApplied, closed.Object.Status.Phase)
	assert.Equal(t, "first", closed.Object.Status.Message)
	require.Len(t, written.records, 3)
	assert.Equal(t, "Applied", written.records[2].Verdict)
	assert.Empty(t, store.results)
}

// TestResultIsAuditedAgain_IfThePlanIsApplied checks that a plan that could not be closed and is applied after all has another result.
func TestResultIsAuditedAgain_IfThePlanIsApplied(t *testing.T) {
	refuse := true
	store := newTestStore(t, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, api client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if refuse {
				return errors.New("the API server is away")
			}
			return api.SubResource(name).Update(ctx, object, options...)
		},
	})
	written := &trail{}
	store.Trail = written
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseSuperseded, "planned again", Verdict{})
	require.Error(t, err)
	refuse = false
	stored, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.NoError(t, err)
	closed, err := store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplied, "", Verdict{})
	require.NoError(t, err)
	assert.Equal(t, infrav1.PlanPhaseApplied, closed.Object.Status.Phase)
	var verdicts []string
	for _, record := range written.records[1:] {
		verdicts = append(verdicts, record.Verdict)
	}
	assert.Equal(t, []string{"Superseded", "Approved", "Applied"}, verdicts)
}

func TestPlanOfTerminatingNamespaceIsInTheNamespaceOfTheManager(t *testing.T) {
	terminating := apierrors.NewForbidden(infrav1.GroupVersion.WithResource("nutanixplans").GroupResource(), "", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	store := newTestStore(t, interceptor.Funcs{
		Create: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if object.GetNamespace() == "prod" {
				return terminating
			}
			return api.Create(ctx, object, options...)
		},
	})
	written := &trail{}
	store.Trail = written
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	assert.Equal(t, "capnt-system", stored.Object.Namespace)
	assert.Equal(t, "capnt-system/"+stored.Object.Name, written.records[len(written.records)-1].Plan)
	stored, err = store.SaveFile(t.Context(), stored, nil)
	require.NoError(t, err)
	open, err := store.Open(t.Context(), stored.Record.Target, true, nil)
	require.NoError(t, err)
	require.Len(t, open, 1)
	assert.Equal(t, []byte("file"), open[0].File)
}

// TestPhaseIsNotWrittenOverTheOneOfAnotherManager checks that a manager that is no longer the leader cannot write phases.
func TestPhaseIsNotWrittenOverTheOneOfAnotherManager(t *testing.T) {
	store := newTestStore(t, interceptor.Funcs{})
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	labelled := stored.Object.DeepCopy()
	labelled.Labels["team"] = "web"
	require.NoError(t, store.Client.Update(t.Context(), labelled))
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseWaiting, "", Verdict{Decision: Waiting})
	require.NoError(t, err, "only labels have changed")
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.ErrorContains(t, err, "another manager has changed it to Waiting")
	require.NoError(t, store.Client.Delete(t.Context(), labelled))
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.ErrorIs(t, err, ErrDeleted)
}

func TestKeyIsSharedByAllManagers(t *testing.T) {
	store := newTestStore(t, interceptor.Funcs{})
	one, err := store.Fingerprint(t.Context(), map[string]string{"user_data": "secret"})
	require.NoError(t, err)
	other := &Store{Client: store.Client, Reader: store.Reader, Namespace: store.Namespace}
	again, err := other.Fingerprint(t.Context(), map[string]string{"user_data": "secret"})
	require.NoError(t, err)
	assert.Equal(t, one, again)
	changed, err := other.Fingerprint(t.Context(), map[string]string{"user_data": "other"})
	require.NoError(t, err)
	assert.NotEqual(t, one, changed)
	assert.Regexp(t, "^hmac-sha256:[0-9a-f]{64}$", one)
}

func TestDecisionIsAuditedOncePerDigest(t *testing.T) {
	written := &trail{}
	decision := &infrav1.NutanixPlanDecision{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "d"}, Spec: infrav1.NutanixPlanDecisionSpec{
		Verdict: infrav1.PlanVerdictApproved, Changes: []string{"sha256:1", "sha256:2"}, Classes: []string{"sha256:3"}, Reason: "CHG-1",
		DecidedBy: &infrav1.PlanDecider{Username: "bob", Groups: []string{"ops"}},
		ExpiresAt: &metav1.Time{Time: decisionTime.In(time.FixedZone("CET", 3600))}, MaxUses: ptr.To[int32](3),
	}}
	require.NoError(t, AuditDecision(t.Context(), written, decision, "main@sha1:5e1f"))
	require.Len(t, written.records, 3)
	assert.Equal(t, audit.Record{Kind: audit.Decision, Source: "NutanixPlanDecision/prod/d", ChangeDigest: "sha256:1", Verdict: "Approved",
		By: audit.User{Username: "bob", Groups: []string{"ops"}}, Reason: "CHG-1", Revision: "main@sha1:5e1f",
		ExpiresAt: decisionTime.UTC(), MaxUses: 3}, written.records[0])
	assert.Equal(t, "sha256:3", written.records[2].ClassDigest)
}

// TestFinalAndWaitingPhasesRemoveFieldManagers checks the request. The fake client tracks the managers of the plan again, which a real API server does
// not do.
func TestFinalAndWaitingPhasesRemoveFieldManagers(t *testing.T) {
	var patches []string
	store := newTestStore(t, interceptor.Funcs{
		Patch: func(ctx context.Context, api client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			content, err := patch.Data(object)
			require.NoError(t, err)
			patches = append(patches, object.GetName()+" "+string(content))
			return api.Patch(ctx, object, patch, options...)
		},
	})
	stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	stored, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplying, "", Verdict{Decision: Approved})
	require.NoError(t, err)
	require.Empty(t, patches)
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApplied, "", Verdict{})
	require.NoError(t, err)
	removed := stored.Object.Name + ` {"metadata":{"managedFields":[{}]}}`
	assert.Equal(t, []string{removed}, patches)

	stored, err = store.Record(t.Context(), testRecord(), []byte("file"))
	require.NoError(t, err)
	stored.Object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "capnt-manager"}} // the fake client returns none
	stored, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseWaiting, "", Verdict{Decision: Waiting})
	require.NoError(t, err)
	removed = stored.Object.Name + ` {"metadata":{"managedFields":[{}]}}`
	assert.Equal(t, []string{removed}, patches[1:])
	_, err = store.SetPhase(t.Context(), stored, infrav1.PlanPhaseApproved, "", Verdict{Decision: Approved})
	require.NoError(t, err)
	assert.Len(t, patches, 2, "they are removed once")
}
