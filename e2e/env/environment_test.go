package env_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapv1 "sigs.k8s.io/cluster-api/api/bootstrap/kubeadm/v1beta2"
	clusterv1beta1 "sigs.k8s.io/cluster-api/api/core/v1beta1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/guest"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// fixture contains a management cluster, a hypervisor and a stub provider.
type fixture struct {
	*env.Environment
	hypervisor *guest.Hypervisor
	guests     string // directory of the hypervisor
	provider   *stub
}

// start starts a management cluster, a hypervisor, and a stub provider that assigns addresses in the network to VMs.
func start(ctx context.Context, t *testing.T, network string) *fixture {
	t.Helper()
	started := time.Now()
	log := funcr.New(func(_, line string) { t.Logf("%6.1fs %s", time.Since(started).Seconds(), line) }, funcr.Options{})
	for _, tool := range []string{"bin/etcd", "bin/kube-apiserver", "bin/kube-controller-manager"} {
		toolbox.Path(t, tool)
	}
	e, err := env.Start(ctx, env.Options{Dir: filepath.Join(t.TempDir(), "management"), Tools: toolbox.Dir(), Log: log})
	require.NoError(t, err)
	f := &fixture{Environment: e, guests: filepath.Join(t.TempDir(), "guests")}
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	f.hypervisor = guest.New(guest.Options{
		Tools: toolbox.Dir(), Dir: f.guests, Log: log, ProviderID: true, MonitorGrace: monitorGrace,
		VersionFor: func(ctx context.Context, vm prismsim.VM) string { return e.MachineVersion(ctx, vm.Name) },
	})
	t.Cleanup(func() { require.NoError(t, f.hypervisor.Close()) })
	require.NoError(t, e.InstallProvider(filepath.Join("..", "..", "config", "crd", "bases"), ""))

	f.provider = &stub{client: e.Client, hypervisor: f.hypervisor, network: network, vms: map[string]prismsim.VM{}}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); f.provider.run(ctx, t) }()
	t.Cleanup(func() { cancel(); <-done })
	t.Cleanup(func() { f.dumpIfFailed(t) })
	return f
}

// dumpIfFailed logs the objects of the environment and the contents of the log files if the test has failed.
func (f *fixture) dumpIfFailed(t *testing.T) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var text bytes.Buffer
	if err := f.Dump(ctx, &text); err != nil {
		t.Logf("dumping the state: %v", err)
	}
	t.Logf("state at the time of the failure:\n%s\nguests: %+v", text.String(), f.hypervisor.States())
}

// TestClusterBecomesAvailableAndIsDeleted runs real Cluster API against simulated guests, without the provider.
func TestClusterBecomesAvailableAndIsDeleted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	e := start(ctx, t, "127.77.0")
	objects, err := env.LoadManifest("testdata/cluster.yaml")
	require.NoError(t, err)
	require.NoError(t, e.Apply(ctx, objects...))
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "small"}}
	require.NoError(t, e.WaitForCondition(ctx, cluster, clusterv1.AvailableCondition, metav1.ConditionTrue))
	assertCluster(ctx, t, e.Environment, client.ObjectKeyFromObject(cluster))
	require.Len(t, e.hypervisor.Processes(), 2)
	workload, err := e.Workload(ctx, client.ObjectKeyFromObject(cluster))
	require.NoError(t, err)
	assertPowerCuts(ctx, t, e, workload)
	assertDrain(ctx, t, e, workload)

	require.NoError(t, e.Client.Delete(ctx, cluster))
	require.NoError(t, e.WaitForGone(ctx, cluster))
	assertNothingLeft(ctx, t, e.Environment)
	require.Empty(t, e.hypervisor.Processes())

	require.NoError(t, e.hypervisor.Close())
	require.NoError(t, e.Close())
	require.Empty(t, process.Running())
	entries, err := os.ReadDir(e.guests)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoDirExists(t, e.Dir())
}

func assertCluster(ctx context.Context, t *testing.T, e *env.Environment, key client.ObjectKey) {
	t.Helper()
	var tree bytes.Buffer
	require.NoError(t, e.PrintTree(ctx, &tree, key))
	t.Logf("\n%s", tree.String())
	require.Contains(t, tree.String(), "KubeadmControlPlane/small")

	var machines clusterv1.MachineList
	require.NoError(t, e.Client.List(ctx, &machines))
	require.Len(t, machines.Items, 2)
	for _, machine := range machines.Items {
		require.True(t, machine.Status.NodeRef.IsDefined(), machine.Name)
		require.NotNil(t, machine.Status.NodeInfo, machine.Name)
		require.Equal(t, "v1.28.0", machine.Status.NodeInfo.KubeletVersion)
	}
	// Clients of the old API version read the same objects through conversion, which requires the contract labels of all
	// CRDs.
	var old clusterv1beta1.Cluster
	require.NoError(t, e.Client.Get(ctx, key, &old))
	require.Equal(t, "infrastructure.cluster.x-k8s.io/v1beta1", old.Spec.InfrastructureRef.APIVersion)
	require.Equal(t, string(clusterv1beta1.ClusterPhaseProvisioned), old.Status.Phase)
}

// assertNothingLeft checks that garbage collection has deleted all objects that were owned by the cluster.
func assertNothingLeft(ctx context.Context, t *testing.T, e *env.Environment) {
	t.Helper()
	for _, list := range []client.ObjectList{
		&clusterv1.MachineList{}, &bootstrapv1.KubeadmConfigList{}, &infrav1.NutanixMachineList{}, &infrav1.NutanixMachineTemplateList{},
		&corev1.SecretList{},
	} {
		err := e.Wait(ctx, fmt.Sprintf("%T to be empty", list), func(ctx context.Context) (bool, string, error) {
			if err := e.Client.List(ctx, list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
				return false, "", err
			}
			n := 0
			switch l := list.(type) {
			case *clusterv1.MachineList:
				n = len(l.Items)
			case *bootstrapv1.KubeadmConfigList:
				n = len(l.Items)
			case *infrav1.NutanixMachineList:
				n = len(l.Items)
			case *infrav1.NutanixMachineTemplateList:
				n = len(l.Items)
			case *corev1.SecretList:
				n = len(l.Items)
			}
			return n == 0, fmt.Sprintf("%d left", n), nil
		})
		require.NoError(t, err)
	}
}
