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

func TestClusterIsProvisionedAndDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateCluster(e.Environment)
	result := e.settle()
	cluster := e.NutanixCluster
	assert.GreaterOrEqual(t, result.RequeueAfter, 5*time.Minute, "half the drift interval")
	assert.LessOrEqual(t, result.RequeueAfter, 10*time.Minute, "the drift interval")
	assert.True(t, cluster.Status.Ready, "%+v", cluster.Status.Conditions)
	assert.True(t, ptr.Deref(cluster.Status.Initialization.Provisioned, false))
	assert.Contains(t, cluster.Finalizers, infrav1.NutanixClusterFinalizer)
	for _, condition := range milestones {
		assert.True(t, conditions.IsTrue(cluster, condition), condition)
	}
	require.Len(t, e.states(), 1)

	before := cluster.ResourceVersion
	e.Terraform.Runs()
	e.settle()
	assert.Equal(t, before, cluster.ResourceVersion, "a reconcile that has nothing to do writes nothing")
	assert.Empty(t, e.Terraform.Runs())

	e.delete()
	assert.True(t, e.Gone(cluster))
	assert.Empty(t, e.states())
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
}

func TestOwnerIsAwaited(t *testing.T) {
	e := newTestEnvironment(t)
	e.Create(e.Credentials, e.NutanixCluster)
	e.settle()
	assert.Empty(t, e.NutanixCluster.Finalizers)
	assert.Empty(t, e.NutanixCluster.Status.Conditions)
	assert.Empty(t, e.Prism.Requests())
}

func TestPausedClusterIsNotChanged(t *testing.T) {
	e := newTestEnvironment(t)
	e.Cluster.Spec.Paused = ptr.To(true)
	e.CreateCluster(e.Environment)
	e.settle()
	assert.True(t, conditions.IsTrue(e.NutanixCluster, infrav1.PausedCondition))
	assert.Empty(t, e.Prism.Requests())
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
	e.settle()
	assert.True(t, conditions.IsFalse(e.NutanixCluster, infrav1.PausedCondition))
	assert.True(t, e.NutanixCluster.Status.Ready)
}

// Events of Secrets and failure domains also trigger reconciles of clusters that another manager reconciles.
func TestClusterOfAnotherManagerIsIgnored(t *testing.T) {
	for name, change := range map[string]func(e *testEnvironment){
		"externally managed": func(e *testEnvironment) {
			e.NutanixCluster.Annotations = map[string]string{clusterv1.ManagedByAnnotation: "terraform"}
		},
		"of another manager": func(e *testEnvironment) {
			e.NutanixCluster.Labels[clusterv1.WatchLabel] = "theirs"
			e.reconciler.WatchFilterValue = "ours"
		},
		"managed by nobody": func(e *testEnvironment) { e.reconciler.WatchFilterValue = "ours" },
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			change(e)
			e.CreateCluster(e.Environment)
			e.settle()
			assert.Empty(t, e.NutanixCluster.Finalizers)
			assert.Empty(t, e.NutanixCluster.Status.Conditions)
			assert.Empty(t, e.Prism.Requests())
		})
	}
}

func TestDeletionOfClusterWithoutRunNeedsNoPrismCentral(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Fail(http.StatusInternalServerError)
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.Empty(t, e.Terraform.Runs())
	require.False(t, e.Gone(e.Credentials))
	assert.Empty(t, e.Credentials.Finalizers)
}

func TestDeletionWaitsForMachines(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Create(e.NutanixMachine)
	e.delete()
	require.False(t, e.Gone(e.NutanixCluster))
	e.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForMachinesDeletedReason)
	assert.Empty(t, e.Terraform.Runs())
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.settle()
	assert.True(t, e.Gone(e.NutanixCluster))
}

func TestEndpoint(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.ControlPlaneEndpoint = infrav1.APIEndpoint{Port: 6443}
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.ControlPlaneEndpointSetCondition, infrav1.ControlPlaneEndpointMissingReason)
	assert.Equal(t, infrav1.APIEndpoint{Port: 6443}, e.NutanixCluster.Spec.ControlPlaneEndpoint, "the empty endpoint of the Cluster replaces nothing")
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) {
		cluster.Spec.ControlPlaneEndpoint = clusterv1.APIEndpoint{Host: "10.0.0.7", Port: 6443}
	})
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
	assert.Equal(t, "10.0.0.7", e.NutanixCluster.Spec.ControlPlaneEndpoint.Host)
}

func TestFailureDomains(t *testing.T) {
	e := newTestEnvironment(t)
	domain := func(name, element, subnet string, controlPlane bool) infrav1.NutanixFailureDomainConfig {
		return infrav1.NutanixFailureDomainConfig{Name: name, ControlPlane: controlPlane, Cluster: controllertest.Named(element),
			Subnets: []infrav1.NutanixResourceIdentifier{controllertest.Named(subnet)}}
	}
	e.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{domain("fd-1", "pe-1", "net-1", true), domain("fd-2", "pe-2", "net-1", false)}
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.FailureDomainsValidatedCondition, infrav1.FailureDomainsInvalidReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixCluster, infrav1.FailureDomainsValidatedCondition), "failure domain fd-2")
	assert.Empty(t, e.NutanixCluster.Status.FailureDomains, "none is published before all are good")

	mutate(e, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.FailureDomains[1] = domain("fd-2", "pe-2", "net-2", false)
	})
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
	assert.Equal(t, []clusterv1.FailureDomain{
		{Name: "fd-1", ControlPlane: ptr.To(true), Attributes: map[string]string{"prismElement": "pe-1", "prismElementUUID": controllertest.UUID(1, 1)}},
		{Name: "fd-2", ControlPlane: ptr.To(false), Attributes: map[string]string{"prismElement": "pe-2", "prismElementUUID": controllertest.UUID(1, 2)}},
	}, e.NutanixCluster.Status.FailureDomains)
}

// If an edit of the failure domains cannot be resolved, a condition of the cluster reports the error. The failure
// domains that were published before stay, and the cluster stays provisioned.
func TestUnresolvedFailureDomainEditKeepsPublishedDomains(t *testing.T) {
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
			e := newTestEnvironment(t)
			e.NutanixCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{good}
			e.running()
			published := e.NutanixCluster.Status.FailureDomains
			require.Len(t, published, 1)
			mutate(e, func(cluster *infrav1.NutanixCluster) { test.edit(&cluster.Spec.FailureDomains[0]) })
			e.settle()
			e.requireFalse(infrav1.FailureDomainsValidatedCondition, infrav1.FailureDomainsInvalidReason)
			message := conditions.GetMessage(e.NutanixCluster, infrav1.FailureDomainsValidatedCondition)
			assert.Contains(t, message, "failure domain fd-1: ")
			assert.Contains(t, message, test.message)
			assert.Equal(t, published, e.NutanixCluster.Status.FailureDomains)
			assert.True(t, ptr.Deref(e.NutanixCluster.Status.Initialization.Provisioned, false))
			mutate(e, func(cluster *infrav1.NutanixCluster) { cluster.Spec.FailureDomains[0] = good })
			e.settle()
			assert.True(t, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)
		})
	}
}

func TestTerraformFailureIsReportedAndRetried(t *testing.T) {
	e := newTestEnvironment(t)
	e.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "connection reset"})
	e.CreateCluster(e.Environment)
	result := e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.ApplyFailedReason)
	assert.Equal(t, 5*time.Second, result.RequeueAfter, "%+v", e.NutanixCluster.Status.Conditions)
	assert.Nil(t, e.NutanixCluster.Status.Initialization.Provisioned)
	e.Advance(5 * time.Second)
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
}

// If the mirror lacks a provider version, a condition reports the error until the cluster names another version. A
// deletion uses the version of the last run.
func TestUnavailableProviderVersionIsACondition(t *testing.T) {
	e := newTestEnvironment(t)
	pin := func(version string) {
		controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
			cluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: version}
		})
		e.settle()
	}
	e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: "2.4.2"}
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason)
	assert.Empty(t, e.states())
	assert.Empty(t, e.NutanixCluster.Annotations[infrav1.ProviderVersionAnnotation], "nothing ran")

	e.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
	assert.Equal(t, "2.4.2", e.Terraform.ProviderVersion())
	assert.Equal(t, "2.4.2", e.NutanixCluster.Annotations[infrav1.ProviderVersionAnnotation])
	assert.Equal(t, "2.4.2", e.NutanixCluster.Status.Terraform.ProviderVersion)

	pin("")
	assert.Equal(t, "2.4.2", e.NutanixCluster.Status.Terraform.ProviderVersion, "the version of the state stays")
	pin("1.9.5")
	assert.Equal(t, "1.9.5", e.NutanixCluster.Status.Terraform.ProviderVersion)
	assert.Equal(t, "1.9.5", e.Terraform.ProviderVersion())

	pin("2.5.0")
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.Empty(t, e.states())
	assert.Equal(t, "1.9.5", e.Terraform.ProviderVersion())
}

// clusterctl moves a cluster as soon as no object blocks the move. No run may be under way at that moment.
func TestClusterIsPausedAfterItsRunEnds(t *testing.T) {
	e := newTestEnvironment(t)
	blocks := func() bool {
		require.False(t, e.Gone(e.NutanixCluster))
		_, blocks := e.NutanixCluster.Annotations[clusterctlv1.BlockMoveAnnotation]
		require.Equal(t, !blocks, conditions.IsTrue(e.NutanixCluster, infrav1.PausedCondition))
		return blocks
	}
	reconcile := func() {
		_, err := e.Reconcile(e.reconciler, e.NutanixCluster)
		require.NoError(t, err)
	}
	entered, release := e.Terraform.Hold("apply")
	t.Cleanup(release)
	e.CreateCluster(e.Environment)
	e.Eventually("the apply is held", func() bool {
		reconcile()
		select {
		case <-entered:
			return true
		default:
			return false
		}
	})
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(true) })
	reconcile()
	assert.True(t, blocks())
	release()
	e.Eventually("paused", func() bool { reconcile(); return !blocks() })
	e.Terraform.Runs()
	e.delete()
	require.False(t, e.Gone(e.NutanixCluster), "a paused cluster is not destroyed")
	assert.Empty(t, e.Terraform.Runs())
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
	e.settle()
	assert.True(t, e.Gone(e.NutanixCluster))
}

func TestMovedClusterKeepsItsCategory(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	mutate(e, func(cluster *infrav1.NutanixCluster) {
		cluster.Annotations = map[string]string{clusterctlv1.DeleteForMoveAnnotation: ""}
	})
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.Empty(t, e.Terraform.Runs())
}

func TestDeletionPolicyOfTheCluster(t *testing.T) {
	for name, deleteCluster := range map[string]bool{"the Cluster is being deleted": true, "only the NutanixCluster is deleted": false} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{DeletionPolicy: infrav1.TerraformDeletionPolicyRetain}
			e.Cluster.Finalizers = []string{"cluster.cluster.x-k8s.io"}
			e.running()
			if deleteCluster {
				require.NoError(t, api.Delete(t.Context(), e.Cluster))
			}
			e.delete()
			require.True(t, e.Gone(e.NutanixCluster), "%+v", e.NutanixCluster.Status.Conditions)
			assert.Empty(t, e.states())
			secrets := &corev1.SecretList{}
			require.NoError(t, api.List(t.Context(), secrets, client.InNamespace(e.Namespace), client.HasLabels{infrav1.RetainedWorkspaceLabel}))
			if deleteCluster {
				require.Len(t, secrets.Items, 1)
				assert.Equal(t, map[string]string{clusterv1.ClusterNameLabel: "c", infrav1.RetainedWorkspaceLabel: kind}, secrets.Items[0].Labels)
				assert.Empty(t, secrets.Items[0].OwnerReferences)
				assert.NotContains(t, e.Terraform.Runs(), "apply", "the category stays")
				return
			}
			assert.Empty(t, secrets.Items)
			assert.Contains(t, e.Terraform.Runs(), "apply")
		})
	}
}
