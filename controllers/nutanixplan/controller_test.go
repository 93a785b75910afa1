package nutanixplan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

type fixture struct {
	*testing.T
	*Reconciler
	clock *clocktesting.FakePassiveClock
}

func newFixture(t *testing.T, objects ...client.Object) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&infrav1.NutanixPlan{}).Build()
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	store := &plan.Store{Client: api, Reader: api, Namespace: "capnt-system", Clock: clock}
	return &fixture{T: t, clock: clock, Reconciler: &Reconciler{Client: api, Plans: store, Clock: clock, Keep: 2, TTL: time.Hour}}
}

// create creates a plan of the machine m in a phase.
func (f *fixture) create(number int, phase infrav1.PlanPhase) *infrav1.NutanixPlan {
	f.Helper()
	object := &infrav1.NutanixPlan{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: fmt.Sprint("m-", number), Labels: map[string]string{infrav1.PlanTargetLabel: "key"},
			CreationTimestamp: metav1.NewTime(f.clock.Now().Add(time.Duration(number) * time.Second))},
		Spec: infrav1.NutanixPlanSpec{Target: infrav1.PlanTarget{Key: "key", Kind: "NutanixMachine", Namespace: "prod", Name: "m"}},
	}
	require.NoError(f, f.Client.Create(f.Context(), object))
	object.Status.Phase = phase
	require.NoError(f, f.Client.Status().Update(f.Context(), object))
	return object
}

func (f *fixture) reconcile(object *infrav1.NutanixPlan) ctrl.Result {
	f.Helper()
	result, err := f.Reconcile(f.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)})
	require.NoError(f, err)
	return result
}

// left returns the names and phases of all plans.
func (f *fixture) left() (left []string) {
	f.Helper()
	list := &infrav1.NutanixPlanList{}
	require.NoError(f, f.Client.List(f.Context(), list))
	for _, object := range list.Items {
		left = append(left, object.Name+" "+string(object.Status.Phase))
	}
	return left
}

func machine(key string) *infrav1.NutanixMachine {
	return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "m", Annotations: map[string]string{infrav1.WorkspaceKeyAnnotation: key}}}
}

func TestOldPlansAreDeleted(t *testing.T) {
	f := newFixture(t, machine("key"))
	f.create(1, infrav1.PlanPhaseWaiting)
	f.create(2, infrav1.PlanPhaseApplied)
	f.create(3, infrav1.PlanPhaseSuperseded)
	f.create(4, infrav1.PlanPhaseWaiting)
	for _, phase := range []infrav1.PlanPhase{"", infrav1.PlanPhaseRecorded, infrav1.PlanPhaseApplying} {
		current := f.create(0, phase)
		f.Keep = 1
		f.reconcile(current)
		f.Keep = 2
		assert.Len(t, f.left(), 5, "a plan that ends soon deletes nothing")
		require.NoError(t, f.Client.Delete(t.Context(), current))
	}
	f.reconcile(f.create(5, infrav1.PlanPhaseFailed))
	assert.Equal(t, []string{"m-1 Waiting", "m-3 Superseded", "m-4 Waiting", "m-5 Failed"}, f.left())
}

// TestPlansOfATargetAreSmallTogether checks that fewer old plans are kept if they are large, and that the latest one always is.
func TestPlansOfATargetAreSmallTogether(t *testing.T) {
	f := newFixture(t, machine("key"))
	f.Keep = 10
	var last *infrav1.NutanixPlan
	for number := range 6 {
		last = f.create(number, infrav1.PlanPhaseApplied)
		last.Status.Message = strings.Repeat("m", 5000)
		require.NoError(t, f.Client.Status().Update(t.Context(), last))
	}
	f.reconcile(last)
	assert.Equal(t, []string{"m-3 Applied", "m-4 Applied", "m-5 Applied"}, f.left())
	last.Status.Message = strings.Repeat("m", 20000)
	require.NoError(t, f.Client.Status().Update(t.Context(), last))
	f.reconcile(last)
	assert.Equal(t, []string{"m-5 Applied"}, f.left())
}

// TestPlanFilesAreCounted checks that fewer old plans are kept while a plan waits, and that neither this plan nor the latest old one is deleted.
func TestPlanFilesAreCounted(t *testing.T) {
	for size, left := range map[int][]string{
		100:   {"m-1 Applied", "m-2 Applied", "m-3 Failed"},
		8000:  {"m-2 Applied", "m-3 Failed"},
		20000: {"m-3 Failed"},
	} {
		f := newFixture(t, machine("key"))
		f.Keep = 10
		waiting := f.create(0, infrav1.PlanPhaseWaiting) // it is older than the others, which were superseded meanwhile
		waiting.Spec.File = &infrav1.PlanFile{SecretName: "file"}
		require.NoError(t, f.Client.Update(t.Context(), waiting))
		require.NoError(t, f.Client.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "file"}, Data: map[string][]byte{"tfplan": make([]byte, size)},
		}))
		for number, phase := range []infrav1.PlanPhase{infrav1.PlanPhaseApplied, infrav1.PlanPhaseApplied, infrav1.PlanPhaseFailed} {
			object := f.create(number+1, phase)
			object.Status.Message = strings.Repeat("m", 3000)
			require.NoError(t, f.Client.Status().Update(t.Context(), object))
		}
		f.reconcile(waiting)
		assert.Equal(t, append([]string{"m-0 Waiting"}, left...), f.left(), "a file of %d bytes", size)
	}
}

func TestPlansOfADeletedMachineAreKeptForTheTTL(t *testing.T) {
	f := newFixture(t, machine("another machine of that name"))
	applied, waiting := f.create(1, infrav1.PlanPhaseApplied), f.create(2, infrav1.PlanPhaseWaiting)
	assert.Positive(t, f.reconcile(waiting).RequeueAfter, "a run may still write the final phase")
	f.clock.SetTime(f.clock.Now().Add(2 * time.Minute))
	f.reconcile(waiting)
	assert.Positive(t, f.reconcile(applied).RequeueAfter)
	assert.Equal(t, []string{"m-1 Applied", "m-2 Superseded"}, f.left())
	f.clock.SetTime(f.clock.Now().Add(2 * time.Hour))
	f.reconcile(applied)
	f.reconcile(waiting)
	assert.Empty(t, f.left())
}

// If a target is deleted while its plan waits, nothing else triggers a reconcile of the plan. clusterctl move removes all annotations first.
func TestDeletedTargetIsMappedToItsPlans(t *testing.T) {
	f := newFixture(t)
	f.create(1, infrav1.PlanPhaseWaiting)
	f.create(2, infrav1.PlanPhaseApplied)
	assert.Len(t, f.plansOf(t.Context(), machine("")), 2)
	assert.Empty(t, f.plansOf(t.Context(), &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "m"}}))
	assert.Empty(t, f.plansOf(t.Context(), &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "n"}}))
}
