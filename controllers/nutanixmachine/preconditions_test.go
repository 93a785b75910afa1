package nutanixmachine

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

func TestOwnerIsAwaited(t *testing.T) {
	e := newTestEnvironment(t)
	e.Create(e.NutanixMachine)
	e.settle()
	assert.Empty(t, e.NutanixMachine.Finalizers)
	assert.Empty(t, e.NutanixMachine.Status.Conditions)
}

func TestPausedMachineIsNotChanged(t *testing.T) {
	for name, pause := range map[string]func(e *testEnvironment){
		"by its annotation": func(e *testEnvironment) {
			e.NutanixMachine.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
		},
		"by its cluster": func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(true) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			pause(e)
			e.CreateMachine(e.Environment)
			e.settle()
			assert.True(t, conditions.IsTrue(e.NutanixMachine, infrav1.PausedCondition))
			assert.Empty(t, e.Terraform.Runs())
			assert.Empty(t, e.Prism.Requests())

			mutate(e, func(machine *infrav1.NutanixMachine) { machine.Annotations = nil })
			controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
			e.settle()
			assert.True(t, conditions.IsFalse(e.NutanixMachine, infrav1.PausedCondition))
			assert.True(t, e.NutanixMachine.Status.Ready)
		})
	}
}

// Events of Machines and Clusters also enqueue NutanixMachines of other managers and externally managed
// NutanixMachines.
func TestMachineOfAnotherManagerIsIgnored(t *testing.T) {
	for name, set := range map[string]func(machine *infrav1.NutanixMachine, theirs bool){
		"by the watch filter": func(machine *infrav1.NutanixMachine, theirs bool) {
			machine.Labels[clusterv1.WatchLabel] = map[bool]string{true: "theirs", false: "ours"}[theirs]
		},
		"by its annotation": func(machine *infrav1.NutanixMachine, theirs bool) {
			machine.Labels[clusterv1.WatchLabel], machine.Annotations = "ours", nil
			if theirs {
				machine.Annotations = map[string]string{clusterv1.ManagedByAnnotation: "somebody"}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.reconciler.WatchFilterValue = "ours"
			set(e.NutanixMachine, true)
			e.CreateMachine(e.Environment)
			e.settle()
			assert.Empty(t, e.NutanixMachine.Finalizers)
			assert.Empty(t, e.Prism.Requests())
			mutate(e, func(machine *infrav1.NutanixMachine) { set(machine, false) })
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready)
		})
	}
}

func TestMachineWaits(t *testing.T) {
	tests := map[string]struct {
		arrange   func(e *testEnvironment)
		condition string
		reason    string
		retries   bool
		heal      func(e *testEnvironment)
	}{
		"for the cluster's infrastructure": {
			arrange: func(e *testEnvironment) {
				e.CreateMachine(e.Environment)
				provisioned(e, false)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForClusterInfrastructureReason,
			heal: func(e *testEnvironment) { provisioned(e, true) },
		},
		"for its bootstrap data, behind the control plane": {
			arrange: func(e *testEnvironment) {
				e.Machine.Spec.Bootstrap.DataSecretName = nil
				e.Machine.Spec.Bootstrap.ConfigRef = clusterv1.ContractVersionedObjectReference{APIGroup: "bootstrap.cluster.x-k8s.io", Kind: "KubeadmConfig", Name: "m"}
				e.CreateMachine(e.Environment)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForControlPlaneInitializedReason,
			heal: hasData,
		},
		"for its bootstrap data": {
			arrange: func(e *testEnvironment) {
				e.Machine.Labels[clusterv1.MachineControlPlaneLabel] = ""
				e.Machine.Spec.Bootstrap.DataSecretName = nil
				e.Machine.Spec.Bootstrap.ConfigRef = clusterv1.ContractVersionedObjectReference{APIGroup: "bootstrap.cluster.x-k8s.io", Kind: "KubeadmConfig", Name: "m"}
				e.CreateMachine(e.Environment)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForBootstrapDataReason,
			heal: hasData,
		},
		"for its bootstrap Secret": {
			arrange: func(e *testEnvironment) {
				e.CreateMachine(e.Environment)
				require.NoError(e.T, api.Delete(e.T.Context(), e.Bootstrap))
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.WaitingForBootstrapDataReason, retries: true,
			heal: func(e *testEnvironment) {
				e.Bootstrap.ResourceVersion = ""
				e.Create(e.Bootstrap)
			},
		},
		"for a value in its bootstrap Secret": {
			arrange: func(e *testEnvironment) {
				e.Bootstrap.Data = map[string][]byte{"other": []byte(controllertest.BootstrapData)}
				e.CreateMachine(e.Environment)
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.BootstrapDataInvalidReason, retries: true,
			heal: func(e *testEnvironment) {
				controllertest.Change(e.Environment, e.Bootstrap, func(secret *corev1.Secret) { secret.Data["value"] = []byte(controllertest.BootstrapData) })
			},
		},
		"for bootstrap data that AHV accepts": {
			arrange: func(e *testEnvironment) {
				e.Bootstrap.Data["value"] = userDataOf(renderer.MaxUserDataBytes + 1)
				e.CreateMachine(e.Environment)
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.BootstrapDataTooLargeReason, retries: true,
			heal: func(e *testEnvironment) {
				assert.Contains(e.T, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), "has 32769 bytes, and AHV accepts at most 32768: "+
					"move files into the image, encode them as gzip+base64 in the bootstrap configuration, or boot from an image with spec.bootstrapRef")
				controllertest.Change(e.Environment, e.Bootstrap, func(secret *corev1.Secret) { secret.Data["value"] = userDataOf(renderer.MaxUserDataBytes) })
			},
		},
		"for a NutanixCluster": {
			arrange: func(e *testEnvironment) {
				e.CreateMachine(e.Environment)
				require.NoError(e.T, api.Delete(e.T.Context(), e.NutanixCluster))
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForClusterInfrastructureReason, retries: true,
			heal: func(e *testEnvironment) {
				e.NutanixCluster.ResourceVersion = ""
				e.Create(e.NutanixCluster)
			},
		},
		"for the credentials": {
			arrange: func(e *testEnvironment) {
				e.CreateMachine(e.Environment)
				require.NoError(e.T, api.Delete(e.T.Context(), e.Credentials))
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.CredentialsNotFoundReason, retries: true,
			heal: func(e *testEnvironment) {
				e.Credentials.ResourceVersion = ""
				e.Create(e.Credentials)
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			test.arrange(e)
			result := e.settle()
			e.requireFalse(test.condition, test.reason)
			assert.Equal(t, test.retries, result.RequeueAfter > 0)
			assert.Less(t, result.RequeueAfter, time.Minute)
			assert.Contains(t, e.NutanixMachine.Finalizers, infrav1.NutanixMachineFinalizer)
			assert.Empty(t, e.Terraform.Runs())
			test.heal(e)
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
		})
	}
}

func provisioned(e *testEnvironment, yes bool) {
	controllertest.ChangeStatus(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) {
		cluster.Status.Initialization.InfrastructureProvisioned = &yes
	})
}

// userDataOf returns bootstrap data that has size bytes after the host name is filled in. The host name in the tests
// has one byte.
func userDataOf(size int) []byte {
	const data = "#cloud-config\nhostname: m\n"
	filler := strings.Repeat("#", size-len(data))
	return []byte(strings.Replace(data, "hostname: m", "hostname: {{ ds.meta_data.hostname }}", 1) + filler)
}

// AHV uses the user data only to create the VM. If the bootstrap data grows later, the machine can still be updated.
func TestUserDataOfExistingVMIsNotLimited(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	controllertest.Change(e.Environment, e.Bootstrap, func(secret *corev1.Secret) { secret.Data["value"] = userDataOf(renderer.MaxUserDataBytes + 1) })
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, "prod", e.Prism.VMs()[0].Categories["env"])
}

func hasData(e *testEnvironment) {
	controllertest.Change(e.Environment, e.Machine, func(machine *clusterv1.Machine) { machine.Spec.Bootstrap.DataSecretName = ptr.To("m-bootstrap") })
}

// If Terraform never ran for a machine, the machine has no infrastructure. Its deletion needs neither Prism Central nor
// a cluster.
func TestDeletionOfMachineWithoutRunNeedsNoPrismCentral(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	provisioned(e, false)
	e.settle()
	require.NoError(t, api.Delete(t.Context(), e.NutanixCluster))
	require.NoError(t, api.Delete(t.Context(), e.Credentials))
	e.Prism.Fail(500)
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Terraform.Runs())
}

// A machine whose VM exists waits neither for bootstrap data nor for provisioned infrastructure.
func TestExistingMachineSkipsPreconditions(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	require.NoError(t, api.Delete(t.Context(), e.Bootstrap))
	provisioned(e, false)
	e.Advance(10 * time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Len(t, e.Prism.VMs(), 1)
}

// If the owners were removed by force, the deletion still destroys the VM.
func TestDeletionWithoutOwnersDestroysVM(t *testing.T) {
	for name, gone := range map[string]func(e *testEnvironment) []client.Object{
		"the Machine": func(e *testEnvironment) []client.Object { return []client.Object{e.Machine} },
		"the Cluster": func(e *testEnvironment) []client.Object { return []client.Object{e.Cluster} },
		"both":        func(e *testEnvironment) []client.Object { return []client.Object{e.Machine, e.Cluster} },
		"both, and the reference": func(e *testEnvironment) []client.Object {
			mutate(e, func(machine *infrav1.NutanixMachine) { machine.OwnerReferences = nil })
			return []client.Object{e.Machine, e.Cluster}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			for _, owner := range gone(e) {
				require.NoError(t, api.Delete(t.Context(), owner))
			}
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Empty(t, e.Prism.VMs())
		})
	}
}

// The label identifies the cluster of a machine without owners. The description of a VM that is not in the Terraform
// state identifies the machine.
func TestDeletionWithoutOwnersFindsClusterAndMachine(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Name = "of-another-name"
	e.NutanixCluster.ResourceVersion, e.NutanixCluster.UID = "", ""
	e.Create(e.NutanixCluster)
	require.NoError(t, api.Delete(t.Context(), &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "c"}}))
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.InfrastructureRef.Name = "of-another-name" })
	e.CreateMachine(e.Environment)
	e.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Timeout, Message: "timeout while waiting for state"})
	e.settle()
	e.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(e.NutanixMachine)})
	require.NoError(t, api.Delete(t.Context(), e.Machine))
	require.NoError(t, api.Delete(t.Context(), e.Cluster))
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

// If no object configures the connection to Prism Central any more, a condition describes the remedy.
func TestDeletionWithoutClusterReportsRemedy(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	for _, owner := range []client.Object{e.Machine, e.Cluster, e.NutanixCluster} {
		require.NoError(t, api.Delete(t.Context(), owner))
	}
	e.delete()
	require.False(t, e.Gone(e.NutanixMachine))
	e.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForClusterInfrastructureReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.AppliedCondition), "NutanixCluster c")
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Finalizers = nil })
}

func TestDeletionWaitsForItsCluster(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	cluster := e.NutanixCluster.DeepCopy()
	require.NoError(t, api.Delete(t.Context(), e.NutanixCluster))
	e.delete()
	require.False(t, e.Gone(e.NutanixMachine))
	e.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForClusterInfrastructureReason)
	cluster.ObjectMeta = metav1.ObjectMeta{Namespace: cluster.Namespace, Name: cluster.Name, Labels: cluster.Labels}
	e.Create(cluster)
	e.settle()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}
