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
	w := newWorld(t)
	w.Create(w.NutanixMachine)
	w.settle()
	assert.Empty(t, w.NutanixMachine.Finalizers)
	assert.Empty(t, w.NutanixMachine.Status.Conditions)
}

func TestPausedMachineIsLeftAlone(t *testing.T) {
	for name, pause := range map[string]func(w *world){
		"by its annotation": func(w *world) {
			w.NutanixMachine.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
		},
		"by its cluster": func(w *world) {
			controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = ptr.To(true) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pause(w)
			w.CreateMachine(w.Bed)
			w.settle()
			assert.True(t, conditions.IsTrue(w.NutanixMachine, infrav1.PausedCondition))
			assert.Empty(t, w.Terraform.Runs())
			assert.Empty(t, w.Prism.Requests())

			mutate(w, func(machine *infrav1.NutanixMachine) { machine.Annotations = nil })
			controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.Paused = nil })
			w.settle()
			assert.True(t, conditions.IsFalse(w.NutanixMachine, infrav1.PausedCondition))
			assert.True(t, w.NutanixMachine.Status.Ready)
		})
	}
}

// The watches of Machines and Clusters call for machines of other managers too, and for those that somebody else provides.
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
			w := newWorld(t)
			w.reconciler.WatchFilterValue = "ours"
			set(w.NutanixMachine, true)
			w.CreateMachine(w.Bed)
			w.settle()
			assert.Empty(t, w.NutanixMachine.Finalizers)
			assert.Empty(t, w.Prism.Requests())
			mutate(w, func(machine *infrav1.NutanixMachine) { set(machine, false) })
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready)
		})
	}
}

func TestMachineWaits(t *testing.T) {
	tests := map[string]struct {
		arrange   func(w *world)
		condition string
		reason    string
		retries   bool
		heal      func(w *world)
	}{
		"for the cluster's infrastructure": {
			arrange: func(w *world) {
				w.CreateMachine(w.Bed)
				provisioned(w, false)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForClusterInfrastructureReason,
			heal: func(w *world) { provisioned(w, true) },
		},
		"for its bootstrap data, behind the control plane": {
			arrange: func(w *world) {
				w.Machine.Spec.Bootstrap.DataSecretName = nil
				w.Machine.Spec.Bootstrap.ConfigRef = clusterv1.ContractVersionedObjectReference{APIGroup: "bootstrap.cluster.x-k8s.io", Kind: "KubeadmConfig", Name: "m"}
				w.CreateMachine(w.Bed)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForControlPlaneInitializedReason,
			heal: hasData,
		},
		"for its bootstrap data": {
			arrange: func(w *world) {
				w.Machine.Labels[clusterv1.MachineControlPlaneLabel] = ""
				w.Machine.Spec.Bootstrap.DataSecretName = nil
				w.Machine.Spec.Bootstrap.ConfigRef = clusterv1.ContractVersionedObjectReference{APIGroup: "bootstrap.cluster.x-k8s.io", Kind: "KubeadmConfig", Name: "m"}
				w.CreateMachine(w.Bed)
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForBootstrapDataReason,
			heal: hasData,
		},
		"for its bootstrap Secret": {
			arrange: func(w *world) {
				w.CreateMachine(w.Bed)
				require.NoError(w.T, api.Delete(w.T.Context(), w.Bootstrap))
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.WaitingForBootstrapDataReason, retries: true,
			heal: func(w *world) {
				w.Bootstrap.ResourceVersion = ""
				w.Create(w.Bootstrap)
			},
		},
		"for a value in its bootstrap Secret": {
			arrange: func(w *world) {
				w.Bootstrap.Data = map[string][]byte{"other": []byte(controllertest.BootstrapData)}
				w.CreateMachine(w.Bed)
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.BootstrapDataInvalidReason, retries: true,
			heal: func(w *world) {
				controllertest.Change(w.Bed, w.Bootstrap, func(secret *corev1.Secret) { secret.Data["value"] = []byte(controllertest.BootstrapData) })
			},
		},
		"for bootstrap data that AHV accepts": {
			arrange: func(w *world) {
				w.Bootstrap.Data["value"] = userDataOf(renderer.MaxUserDataBytes + 1)
				w.CreateMachine(w.Bed)
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.BootstrapDataTooLargeReason, retries: true,
			heal: func(w *world) {
				assert.Contains(w.T, conditions.GetMessage(w.NutanixMachine, infrav1.InputsResolvedCondition), "has 32769 bytes, and AHV accepts at most 32768: move files into the image")
				controllertest.Change(w.Bed, w.Bootstrap, func(secret *corev1.Secret) { secret.Data["value"] = userDataOf(renderer.MaxUserDataBytes) })
			},
		},
		"for a NutanixCluster": {
			arrange: func(w *world) {
				w.CreateMachine(w.Bed)
				require.NoError(w.T, api.Delete(w.T.Context(), w.NutanixCluster))
			},
			condition: infrav1.PreconditionsMetCondition, reason: infrav1.WaitingForClusterInfrastructureReason, retries: true,
			heal: func(w *world) {
				w.NutanixCluster.ResourceVersion = ""
				w.Create(w.NutanixCluster)
			},
		},
		"for the credentials": {
			arrange: func(w *world) {
				w.CreateMachine(w.Bed)
				require.NoError(w.T, api.Delete(w.T.Context(), w.Credentials))
			},
			condition: infrav1.InputsResolvedCondition, reason: infrav1.CredentialsNotFoundReason, retries: true,
			heal: func(w *world) {
				w.Credentials.ResourceVersion = ""
				w.Create(w.Credentials)
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.arrange(w)
			result := w.settle()
			w.requireFalse(test.condition, test.reason)
			assert.Equal(t, test.retries, result.RequeueAfter > 0)
			assert.Less(t, result.RequeueAfter, time.Minute)
			assert.Contains(t, w.NutanixMachine.Finalizers, infrav1.NutanixMachineFinalizer)
			assert.Empty(t, w.Terraform.Runs())
			test.heal(w)
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
		})
	}
}

func provisioned(w *world, yes bool) {
	controllertest.ChangeStatus(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) {
		cluster.Status.Initialization.InfrastructureProvisioned = &yes
	})
}

// userDataOf returns bootstrap data of that many bytes once the host name, which is one byte long, is filled in.
func userDataOf(size int) []byte {
	const data = "#cloud-config\nhostname: m\n"
	filler := strings.Repeat("#", size-len(data))
	return []byte(strings.Replace(data, "hostname: m", "hostname: {{ ds.meta_data.hostname }}", 1) + filler)
}

func hasData(w *world) {
	controllertest.Change(w.Bed, w.Machine, func(machine *clusterv1.Machine) { machine.Spec.Bootstrap.DataSecretName = ptr.To("m-bootstrap") })
}

// Of a machine for which Terraform never ran nothing exists, and neither Prism Central nor a cluster is needed to let it go.
func TestMachineThatNeverRanNeedsNobodyToGo(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	provisioned(w, false)
	w.settle()
	require.NoError(t, api.Delete(t.Context(), w.NutanixCluster))
	require.NoError(t, api.Delete(t.Context(), w.Credentials))
	w.Prism.Fail(500)
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Terraform.Runs())
}

// A machine that exists needs no bootstrap data any more, and no infrastructure that is provisioned at this moment.
func TestMachineThatExistsNeedsNoPreconditions(t *testing.T) {
	w := newWorld(t)
	w.running()
	require.NoError(t, api.Delete(t.Context(), w.Bootstrap))
	provisioned(w, false)
	w.Advance(10 * time.Minute)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Len(t, w.Prism.VMs(), 1)
}

// Whoever took the owners away by force does not leave a virtual machine behind.
func TestDeletionOutlivesItsOwners(t *testing.T) {
	for name, gone := range map[string]func(w *world) []client.Object{
		"the Machine": func(w *world) []client.Object { return []client.Object{w.Machine} },
		"the Cluster": func(w *world) []client.Object { return []client.Object{w.Cluster} },
		"both":        func(w *world) []client.Object { return []client.Object{w.Machine, w.Cluster} },
		"both, and the reference": func(w *world) []client.Object {
			mutate(w, func(machine *infrav1.NutanixMachine) { machine.OwnerReferences = nil })
			return []client.Object{w.Machine, w.Cluster}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			for _, owner := range gone(w) {
				require.NoError(t, api.Delete(t.Context(), owner))
			}
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Empty(t, w.Prism.VMs())
		})
	}
}

// Without owners the cluster is told by its label, and the virtual machine that Terraform does not know by its mark.
func TestDeletionWithoutOwnersFindsClusterAndMachine(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Name = "of-another-name"
	w.NutanixCluster.ResourceVersion, w.NutanixCluster.UID = "", ""
	w.Create(w.NutanixCluster)
	require.NoError(t, api.Delete(t.Context(), &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "c"}}))
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Spec.InfrastructureRef.Name = "of-another-name" })
	w.CreateMachine(w.Bed)
	w.Terraform.Fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Timeout, Message: "timeout while waiting for state"})
	w.settle()
	w.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(w.NutanixMachine)})
	require.NoError(t, api.Delete(t.Context(), w.Machine))
	require.NoError(t, api.Delete(t.Context(), w.Cluster))
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}

// When nothing says any more how Prism Central is reached, a condition says what to do.
func TestDeletionWithoutAnyClusterSaysSo(t *testing.T) {
	w := newWorld(t)
	w.running()
	for _, owner := range []client.Object{w.Machine, w.Cluster, w.NutanixCluster} {
		require.NoError(t, api.Delete(t.Context(), owner))
	}
	w.delete()
	require.False(t, w.Gone(w.NutanixMachine))
	w.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForClusterInfrastructureReason)
	assert.Contains(t, conditions.GetMessage(w.NutanixMachine, infrav1.AppliedCondition), "NutanixCluster c")
	mutate(w, func(machine *infrav1.NutanixMachine) { machine.Finalizers = nil })
}

func TestDeletionWaitsForItsCluster(t *testing.T) {
	w := newWorld(t)
	w.running()
	cluster := w.NutanixCluster.DeepCopy()
	require.NoError(t, api.Delete(t.Context(), w.NutanixCluster))
	w.delete()
	require.False(t, w.Gone(w.NutanixMachine))
	w.requireFalse(infrav1.AppliedCondition, infrav1.WaitingForClusterInfrastructureReason)
	cluster.ObjectMeta = metav1.ObjectMeta{Namespace: cluster.Namespace, Name: cluster.Name, Labels: cluster.Labels}
	w.Create(cluster)
	w.settle()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}
