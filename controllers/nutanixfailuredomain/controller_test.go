package nutanixfailuredomain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
)

// eventually waits until fits returns true for the failure domain. expectation describes fits in the failure message.
func eventually(t *testing.T, namespace, expectation string, fits func(*infrav1.NutanixFailureDomain) bool) *infrav1.NutanixFailureDomain {
	t.Helper()
	domain := &infrav1.NutanixFailureDomain{}
	require.Eventually(t, func() bool {
		err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fd-1"}, domain)
		return err == nil && fits(domain)
	}, deadline, tick, "waiting for a failure domain that is %s", expectation)
	return domain
}

func has(conditionType string, status metav1.ConditionStatus, reason string) func(*infrav1.NutanixFailureDomain) bool {
	return func(domain *infrav1.NutanixFailureDomain) bool {
		condition := conditions.Get(domain, conditionType)
		return condition != nil && condition.Status == status && condition.Reason == reason
	}
}

func eventuallyGone(t *testing.T, namespace string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return apierrors.IsNotFound(api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fd-1"}, &infrav1.NutanixFailureDomain{}))
	}, deadline, tick, "waiting for the failure domain to go")
}

func TestUnusedFailureDomainIsReadyAndDeleted(t *testing.T) {
	ns := namespace(t)
	create(t, newDomain(ns))

	domain := eventually(t, ns, "ready", has(infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.FailureDomainValidReason))
	assert.Equal(t, []string{infrav1.NutanixFailureDomainFinalizer}, domain.Finalizers)
	assert.True(t, conditions.IsTrue(domain, infrav1.SafeForDeletionCondition))
	assert.True(t, conditions.IsFalse(domain, infrav1.PausedCondition))

	require.NoError(t, api.Delete(t.Context(), domain))
	eventuallyGone(t, ns)
}

func TestValidFollowsPrismCentralOfTheCluster(t *testing.T) {
	ns := namespace(t)
	central.fail(ns, "net-2", &prism.NotFoundError{Kind: prism.KindSubnet, Identifier: `name "net-2"`})
	create(t, newDomain(ns))
	eventually(t, ns, "ready while nobody uses it", has(infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.FailureDomainValidReason))

	cluster := newNutanixCluster(ns, "fd-1")
	create(t, cluster)
	domain := eventually(t, ns, "not ready", has(infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.SubnetNotFoundReason))
	assert.Contains(t, conditions.GetMessage(domain, infrav1.ReadyCondition), `name "net-2"`)
	assert.True(t, conditions.IsFalse(domain, infrav1.SafeForDeletionCondition))

	central.fail(ns, "net-2", nil)
	before := cluster.DeepCopy()
	conditions.Set(cluster, metav1.Condition{Type: infrav1.CredentialsResolvedCondition, Status: metav1.ConditionTrue, Reason: infrav1.CredentialsResolvedReason})
	require.NoError(t, api.Status().Patch(t.Context(), cluster, client.MergeFrom(before)))
	eventually(t, ns, "ready again", has(infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.FailureDomainValidReason))
}

func TestDeletionWaitsForUsers(t *testing.T) {
	for name, user := range map[string]func(namespace string) client.Object{
		"NutanixCluster c-infra": func(ns string) client.Object { return newNutanixCluster(ns, "fd-1") },
		"MachineDeployment md-1": func(ns string) client.Object { return newMachineDeployment(ns, "md-1", "fd-1") },
		"Machine m-1":            func(ns string) client.Object { return newMachine(ns, "m-1", "fd-1") },
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			object := user(ns)
			create(t, object, newDomain(ns))
			domain := eventually(t, ns, "used", has(infrav1.SafeForDeletionCondition, metav1.ConditionFalse, infrav1.FailureDomainInUseReason))

			require.NoError(t, api.Delete(t.Context(), domain))
			domain = eventually(t, ns, "waiting", has(infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.DeletingReason))
			assert.Contains(t, conditions.GetMessage(domain, infrav1.ReadyCondition), "deletion waits, because the failure domain is in use by "+name)
			eventuallyReported(t, ns, infrav1.FailureDomainInUseReason)

			require.NoError(t, api.Delete(t.Context(), object))
			eventuallyGone(t, ns)
		})
	}
}

// eventuallyReported waits for an event about a failure domain.
func eventuallyReported(t *testing.T, namespace, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		events := &eventsv1.EventList{}
		if api.List(t.Context(), events, client.InNamespace(namespace)) != nil {
			return false
		}
		for _, event := range events.Items {
			if event.Reason == reason && event.Regarding.Name == "fd-1" {
				return true
			}
		}
		return false
	}, deadline, tick, "waiting for event %s", reason)
}

func TestPausedFailureDomainIsNotChanged(t *testing.T) {
	ns := namespace(t)
	domain := newDomain(ns)
	domain.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
	create(t, domain)
	domain = eventually(t, ns, "paused", has(infrav1.PausedCondition, metav1.ConditionTrue, clusterv1.PausedReason))
	assert.Empty(t, domain.Finalizers)
	assert.Nil(t, conditions.Get(domain, infrav1.ReadyCondition))

	before := domain.DeepCopy()
	domain.Annotations = nil
	require.NoError(t, api.Patch(t.Context(), domain, client.MergeFrom(before)))
	eventually(t, ns, "ready", has(infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.FailureDomainValidReason))
}

func TestFailureDomainIsPausedWithItsClusters(t *testing.T) {
	ns := namespace(t)
	cluster := newCluster(ns)
	cluster.Spec.Paused = new(true)
	create(t, cluster, newNutanixCluster(ns, "fd-1"), newDomain(ns))
	eventually(t, ns, "paused", has(infrav1.PausedCondition, metav1.ConditionTrue, clusterv1.PausedReason))

	before := cluster.DeepCopy()
	cluster.Spec.Paused = nil
	require.NoError(t, api.Patch(t.Context(), cluster, client.MergeFrom(before)))
	eventually(t, ns, "ready", has(infrav1.ReadyCondition, metav1.ConditionTrue, infrav1.FailureDomainValidReason))
}

// A paused failure domain is not changed, so that clusterctl move can remove its finalizer. A Cluster pauses a failure domain only if no
// other Cluster that uses the failure domain is running.
func TestPausedFailureDomainIsNotReconciled(t *testing.T) {
	annotated := newDomain("ns")
	annotated.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
	paused, other := newCluster("ns"), newCluster("ns")
	paused.Spec.Paused = new(true)
	other.Name = "d"
	ofOther := newMachine("ns", "m-1", "fd-1")
	ofOther.Spec.ClusterName = other.Name

	for name, test := range map[string]struct {
		objects    []client.Object
		reconciled bool
	}{
		"paused by its annotation":            {[]client.Object{annotated}, false},
		"all Clusters that use it are paused": {[]client.Object{newDomain("ns"), newNutanixCluster("ns", "fd-1"), paused}, false},
		"one of two Clusters is paused":       {[]client.Object{newDomain("ns"), newNutanixCluster("ns", "fd-1"), paused, other, ofOther}, true},
	} {
		t.Run(name, func(t *testing.T) {
			domain := newDomain("ns")
			stored := fake.NewClientBuilder().WithScheme(api.Scheme()).WithObjects(test.objects...).WithStatusSubresource(domain).Build()
			reconciler := &Reconciler{Client: stored, Reader: stored, Inventory: central.of, Recorder: events.NewFakeRecorder(10)}
			for range 3 { // a reconcile ends after it has written the Paused condition or the finalizer
				_, err := reconciler.Reconcile(t.Context(), request("ns", "fd-1")[0])
				require.NoError(t, err)
			}
			require.NoError(t, stored.Get(t.Context(), client.ObjectKeyFromObject(domain), domain))
			assert.Equal(t, !test.reconciled, conditions.IsTrue(domain, infrav1.PausedCondition))
			assert.Equal(t, test.reconciled, controllerutil.ContainsFinalizer(domain, infrav1.NutanixFailureDomainFinalizer))
			assert.Equal(t, test.reconciled, conditions.Has(domain, infrav1.ReadyCondition))
		})
	}
}

func TestWatchFilter(t *testing.T) {
	for label, reconciled := range map[string]bool{"": false, "other": false, "mine": true} {
		t.Run("label "+label, func(t *testing.T) {
			domain := newDomain("ns")
			if label != "" {
				domain.Labels = map[string]string{clusterv1.WatchLabel: label}
			}
			scripted := fake.NewClientBuilder().WithScheme(api.Scheme()).WithObjects(domain).WithStatusSubresource(domain).Build()
			reconciler := &Reconciler{Client: scripted, Reader: scripted, Inventory: central.of, WatchFilterValue: "mine"}

			_, err := reconciler.Reconcile(t.Context(), request("ns", "fd-1")[0])
			require.NoError(t, err)
			require.NoError(t, scripted.Get(t.Context(), client.ObjectKeyFromObject(domain), domain))
			assert.Equal(t, reconciled, conditions.Has(domain, infrav1.PausedCondition))
		})
	}
}
