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

// TestClusterBecomesAvailableAndIsDeleted runs real Cluster API against simulated guests, without the provider.
func TestClusterBecomesAvailableAndIsDeleted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	started := time.Now()
	log := funcr.New(func(_, line string) { t.Logf("%6.1fs %s", time.Since(started).Seconds(), line) }, funcr.Options{})
	for _, tool := range []string{"bin/etcd", "bin/kube-apiserver", "bin/kube-controller-manager"} {
		toolbox.Path(t, tool)
	}
	dir := filepath.Join(t.TempDir(), "management")
	e, err := env.Start(ctx, env.Options{Dir: dir, Tools: toolbox.Dir(), Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })

	guests := filepath.Join(t.TempDir(), "guests")
	hypervisor := guest.New(guest.Options{
		Tools: toolbox.Dir(), Dir: guests, Log: log, ProviderID: true,
		VersionFor: func(ctx context.Context, vm prismsim.VM) string { return e.MachineVersion(ctx, vm.Name) },
	})
	t.Cleanup(func() { require.NoError(t, hypervisor.Close()) })
	dumpOnFailure(t, func(ctx context.Context) string {
		var text bytes.Buffer
		_ = e.Dump(ctx, &text)
		return fmt.Sprintf("%s\nguests: %+v", text.String(), hypervisor.States())
	})

	require.NoError(t, e.InstallProvider(filepath.Join("..", "..", "config", "crd", "bases"), ""))
	provider := &stub{client: e.Client, hypervisor: hypervisor, network: "127.77.0"}
	stubDone := make(chan struct{})
	go func() { defer close(stubDone); provider.run(ctx, t) }()
	t.Cleanup(func() { cancel(); <-stubDone })

	objects, err := env.LoadManifest("testdata/cluster.yaml")
	require.NoError(t, err)
	require.NoError(t, e.Apply(ctx, objects...))
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "small"}}
	require.NoError(t, e.WaitForCondition(ctx, cluster, clusterv1.AvailableCondition, metav1.ConditionTrue))
	assertCluster(ctx, t, e, client.ObjectKeyFromObject(cluster))
	require.Len(t, hypervisor.Processes(), 2)

	require.NoError(t, e.Client.Delete(ctx, cluster))
	require.NoError(t, e.WaitForGone(ctx, cluster))
	assertNothingLeft(ctx, t, e)
	require.Empty(t, hypervisor.Processes())

	require.NoError(t, hypervisor.Close())
	require.NoError(t, e.Close())
	require.Empty(t, process.Running())
	entries, err := os.ReadDir(guests)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoDirExists(t, dir)
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
	// Older clients read the same objects; conversion needs the contract labels of all CRDs.
	var old clusterv1beta1.Cluster
	require.NoError(t, e.Client.Get(ctx, key, &old))
	require.Equal(t, "infrastructure.cluster.x-k8s.io/v1beta1", old.Spec.InfrastructureRef.APIVersion)
	require.Equal(t, string(clusterv1beta1.ClusterPhaseProvisioned), old.Status.Phase)
}

// assertNothingLeft checks that garbage collection worked: what the cluster owned is gone.
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
