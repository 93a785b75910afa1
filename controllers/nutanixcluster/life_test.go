package nutanixcluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/terraform"
)

func TestClusterComesUpAndGoesWithoutATrace(t *testing.T) {
	w := newWorld(t)
	w.CreateCluster(w.Bed)
	result := w.settle()
	cluster := w.NutanixCluster
	assert.Equal(t, 10*time.Minute, result.RequeueAfter)
	assert.True(t, cluster.Status.Ready, "%+v", cluster.Status.Conditions)
	assert.True(t, ptr.Deref(cluster.Status.Initialization.Provisioned, false))
	assert.Contains(t, cluster.Finalizers, infrav1.NutanixClusterFinalizer)
	for _, condition := range milestones {
		assert.True(t, conditions.IsTrue(cluster, condition), condition)
	}
	require.Len(t, w.states(), 1)
	assert.Len(t, w.states()[0].OwnerReferences, 1)

	before := cluster.ResourceVersion
	w.Terraform.Runs()
	w.settle()
	assert.Equal(t, before, cluster.ResourceVersion, "a reconcile that has nothing to do writes nothing")
	assert.Empty(t, w.Terraform.Runs())

	w.delete()
	assert.True(t, w.Gone(cluster))
	assert.Empty(t, w.states())
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
}

func TestOwnerIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.Create(w.Credentials, w.NutanixCluster)
	w.settle()
	assert.Empty(t, w.NutanixCluster.Finalizers)
	assert.Empty(t, w.NutanixCluster.Status.Conditions)
	assert.Empty(t, w.Prism.Requests())
}

func TestPausedClusterIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.Cluster.Spec.Paused = ptr.To(true)
	w.CreateCluster(w.Bed)
	w.settle()
	assert.True(t, conditions.IsTrue(w.NutanixCluster, infrav1.PausedCondition))
	assert.Empty(t, w.Prism.Requests())
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
	w.settle()
	assert.True(t, conditions.IsFalse(w.NutanixCluster, infrav1.PausedCondition))
	assert.True(t, w.NutanixCluster.Status.Ready)
}

// The watches of Secrets and failure domains call for such clusters too.
func TestClusterOfSomebodyElseIsIgnored(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"externally managed": func(w *world) {
			w.NutanixCluster.Annotations = map[string]string{clusterv1.ManagedByAnnotation: "terraform"}
		},
		"of another manager": func(w *world) {
			w.NutanixCluster.Labels[clusterv1.WatchLabel] = "theirs"
			w.reconciler.WatchFilterValue = "ours"
		},
		"of no manager's own": func(w *world) { w.reconciler.WatchFilterValue = "ours" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			w.CreateCluster(w.Bed)
			w.settle()
			assert.Empty(t, w.NutanixCluster.Finalizers)
			assert.Empty(t, w.NutanixCluster.Status.Conditions)
			assert.Empty(t, w.Prism.Requests())
		})
	}
}

func TestClusterThatNeverRanNeedsNobodyToGo(t *testing.T) {
	w := newWorld(t)
	w.Prism.Fail(http.StatusInternalServerError)
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason)
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
	assert.Empty(t, w.Terraform.Runs())
	require.False(t, w.Gone(w.Credentials))
	assert.Empty(t, w.Credentials.Finalizers)
}

func TestDeletionWaitsForMachines(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Create(w.NutanixMachine)
	w.delete()
	require.False(t, w.Gone(w.NutanixCluster))
	w.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForMachinesDeletedReason)
	assert.Empty(t, w.Terraform.Runs())
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.settle()
	assert.True(t, w.Gone(w.NutanixCluster))
}

func TestEndpoint(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Spec.ControlPlaneEndpoint = infrav1.APIEndpoint{Port: 6443}
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.ControlPlaneEndpointSetCondition, infrav1.ControlPlaneEndpointMissingReason)
	assert.Equal(t, infrav1.APIEndpoint{Port: 6443}, w.NutanixCluster.Spec.ControlPlaneEndpoint, "the empty endpoint of the Cluster replaces nothing")
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) {
		cluster.Spec.ControlPlaneEndpoint = clusterv1.APIEndpoint{Host: "10.0.0.7", Port: 6443}
	})
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready)
	assert.Equal(t, "10.0.0.7", w.NutanixCluster.Spec.ControlPlaneEndpoint.Host)
}

func TestFailureDomains(t *testing.T) {
	w := newWorld(t)
	domain := func(name, element, subnet string, controlPlane bool) infrav1.NutanixFailureDomainConfig {
		return infrav1.NutanixFailureDomainConfig{Name: name, ControlPlane: controlPlane, Cluster: controllertest.Named(element),
			Subnets: []infrav1.NutanixResourceIdentifier{controllertest.Named(subnet)}}
	}
	w.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{domain("fd-1", "pe-1", "net-1", true), domain("fd-2", "pe-2", "net-1", false)}
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.FailureDomainsValidatedCondition, infrav1.FailureDomainsInvalidReason)
	assert.Contains(t, conditions.GetMessage(w.NutanixCluster, infrav1.FailureDomainsValidatedCondition), "failure domain fd-2")
	assert.Empty(t, w.NutanixCluster.Status.FailureDomains, "none is published before all are good")

	mutate(w, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.FailureDomains[1] = domain("fd-2", "pe-2", "net-2", false)
	})
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready)
	assert.Equal(t, []clusterv1.FailureDomain{
		{Name: "fd-1", ControlPlane: ptr.To(true), Attributes: map[string]string{"prismElement": "pe-1", "prismElementUUID": controllertest.UUID(1, 1)}},
		{Name: "fd-2", ControlPlane: ptr.To(false), Attributes: map[string]string{"prismElement": "pe-2", "prismElementUUID": controllertest.UUID(1, 2)}},
	}, w.NutanixCluster.Status.FailureDomains)
}

// An edit of the failure domains that cannot be resolved is reported on the cluster. What was published before stays, and the
// cluster stays provisioned.
func TestFailureDomainEditThatDoesNotResolve(t *testing.T) {
	subnet := controllertest.Named("net-1")
	good := infrav1.NutanixFailureDomainConfig{Name: "fd-1", Cluster: controllertest.Named("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{subnet}}
	for name, test := range map[string]struct {
		edit    func(*infrav1.NutanixFailureDomainConfig)
		message string
	}{
		"Prism Element": {func(d *infrav1.NutanixFailureDomainConfig) { d.Cluster = controllertest.Named("pe-9") }, "pe-9"},
		"subnet": {func(d *infrav1.NutanixFailureDomainConfig) {
			d.Subnets = []infrav1.NutanixResourceIdentifier{controllertest.Named("net-2")}
		}, "net-2"},
		"subnet twice": {func(d *infrav1.NutanixFailureDomainConfig) {
			d.Subnets = append(d.Subnets, infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: ptr.To(controllertest.UUID(2, 1))})
		}, "subnets[0] and subnets[1] are the same subnet net-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{good}
			w.running()
			published := w.NutanixCluster.Status.FailureDomains
			require.Len(t, published, 1)
			mutate(w, func(cluster *infrav1.NutanixCluster) { test.edit(&cluster.Spec.FailureDomains[0]) })
			w.settle()
			w.requireFalse(infrav1.FailureDomainsValidatedCondition, infrav1.FailureDomainsInvalidReason)
			message := conditions.GetMessage(w.NutanixCluster, infrav1.FailureDomainsValidatedCondition)
			assert.Contains(t, message, "failure domain fd-1: ")
			assert.Contains(t, message, test.message)
			assert.Equal(t, published, w.NutanixCluster.Status.FailureDomains)
			assert.True(t, ptr.Deref(w.NutanixCluster.Status.Initialization.Provisioned, false))
			mutate(w, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains[0] = good })
			w.settle()
			assert.True(t, w.NutanixCluster.Status.Ready, "%+v", w.NutanixCluster.Status.Conditions)
		})
	}
}

func TestTerraformFailureIsToldAndHeals(t *testing.T) {
	w := newWorld(t)
	w.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "connection reset"})
	w.CreateCluster(w.Bed)
	result := w.settle()
	w.requireFalse(infrav1.AppliedCondition, infrav1.ApplyFailedReason)
	assert.Equal(t, 5*time.Second, result.RequeueAfter, "%+v", w.NutanixCluster.Status.Conditions)
	assert.Nil(t, w.NutanixCluster.Status.Initialization.Provisioned)
	w.Advance(5 * time.Second)
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready)
}

// A version that the mirror does not have is a condition of the cluster until the cluster names another one. A deletion needs
// no new version.
func TestUnavailableProviderVersionIsACondition(t *testing.T) {
	w := newWorld(t)
	pin := func(version string) {
		controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
			cluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: version}
		})
		w.settle()
	}
	w.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: "2.4.2"}
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason)
	assert.Empty(t, w.states())
	assert.Empty(t, w.NutanixCluster.Annotations[infrav1.ProviderVersionAnnotation], "nothing ran")

	w.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready)
	assert.Equal(t, "2.4.2", w.Terraform.ProviderVersion())
	assert.Equal(t, "2.4.2", w.NutanixCluster.Annotations[infrav1.ProviderVersionAnnotation])
	assert.Equal(t, "2.4.2", w.NutanixCluster.Status.Terraform.ProviderVersion)

	pin("")
	assert.Equal(t, "2.4.2", w.NutanixCluster.Status.Terraform.ProviderVersion, "the version of the state stays")
	pin("1.9.5")
	assert.Equal(t, "1.9.5", w.NutanixCluster.Status.Terraform.ProviderVersion)
	assert.Equal(t, "1.9.5", w.Terraform.ProviderVersion())

	pin("2.5.0")
	w.requireFalse(infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason)
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
	assert.Empty(t, w.states())
	assert.Equal(t, "1.9.5", w.Terraform.ProviderVersion())
}

// clusterctl moves a cluster when no object blocks the move any more: no run may be under way then.
func TestClusterIsPausedWhenItsRunHasEnded(t *testing.T) {
	w := newWorld(t)
	blocks := func() bool {
		require.False(t, w.Gone(w.NutanixCluster))
		_, blocks := w.NutanixCluster.Annotations[clusterctlv1.BlockMoveAnnotation]
		require.Equal(t, !blocks, conditions.IsTrue(w.NutanixCluster, infrav1.PausedCondition))
		return blocks
	}
	reconcile := func() {
		_, err := w.Reconcile(w.reconciler, w.NutanixCluster)
		require.NoError(t, err)
	}
	entered, release := w.Terraform.Hold("apply")
	t.Cleanup(release)
	w.CreateCluster(w.Bed)
	w.Eventually("the apply is held", func() bool {
		reconcile()
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(true) })
	reconcile()
	assert.True(t, blocks())
	release()
	w.Eventually("paused", func() bool { reconcile(); return !blocks() })
	w.Terraform.Runs()
	w.delete()
	require.False(t, w.Gone(w.NutanixCluster), "a paused cluster is not destroyed")
	assert.Empty(t, w.Terraform.Runs())
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
	w.settle()
	assert.True(t, w.Gone(w.NutanixCluster))
}

func TestMovedClusterLeavesItsCategory(t *testing.T) {
	w := newWorld(t)
	w.running()
	mutate(w, func(cluster *infrav1.NutanixCluster) {
		cluster.Annotations = map[string]string{clusterctlv1.DeleteForMoveAnnotation: ""}
	})
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
	assert.Empty(t, w.Terraform.Runs())
}

func TestDeletionPolicyOfTheCluster(t *testing.T) {
	for name, deleteCluster := range map[string]bool{"the Cluster is being deleted": true, "only the NutanixCluster is deleted": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{DeletionPolicy: infrav1.TerraformDeletionPolicyRetain}
			w.Cluster.Finalizers = []string{"cluster.cluster.x-k8s.io"}
			w.running()
			if deleteCluster {
				require.NoError(t, api.Delete(t.Context(), w.Cluster))
			}
			w.delete()
			require.True(t, w.Gone(w.NutanixCluster), "%+v", w.NutanixCluster.Status.Conditions)
			assert.Empty(t, w.states())
			secrets := &corev1.SecretList{}
			require.NoError(t, api.List(t.Context(), secrets, client.InNamespace(w.Namespace), client.HasLabels{infrav1.RetainedWorkspaceLabel}))
			if deleteCluster {
				require.Len(t, secrets.Items, 1)
				assert.Equal(t, kind, secrets.Items[0].Labels[infrav1.RetainedWorkspaceLabel])
				assert.NotContains(t, w.Terraform.Runs(), "apply", "the category stays")
				return
			}
			assert.Empty(t, secrets.Items)
			assert.Contains(t, w.Terraform.Runs(), "apply")
		})
	}
}
