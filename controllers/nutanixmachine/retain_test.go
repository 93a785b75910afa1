package nutanixmachine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
)

// withPolicy sets the deletion policy.
func (w *world) withPolicy(policy infrav1.TerraformDeletionPolicy) {
	w.T.Helper()
	controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{DeletionPolicy: policy}
	})
}

// deleteCluster deletes the Cluster, which Cluster API keeps until its machines are gone.
func (w *world) deleteCluster() {
	w.T.Helper()
	controllertest.Change(w.Bed, w.Cluster, func(cluster *clusterv1.Cluster) { cluster.Finalizers = []string{"cluster.cluster.x-k8s.io"} })
	require.NoError(w.T, api.Delete(w.T.Context(), w.Cluster))
}

// exports returns the Secrets with exported workspaces.
func (w *world) exports() []corev1.Secret {
	w.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(w.T, api.List(w.T.Context(), secrets, client.InNamespace(w.Namespace), client.HasLabels{infrav1.RetainedWorkspaceLabel}))
	return secrets.Items
}

func (w *world) states() []corev1.Secret {
	w.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(w.T, api.List(w.T.Context(), secrets, client.InNamespace(w.Namespace), client.HasLabels{"tfstate"}))
	return secrets.Items
}

func unpack(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	decompressed, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	files, reader := map[string]string{}, tar.NewReader(decompressed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[header.Name] = string(content)
	}
}

func TestDeletionPolicy(t *testing.T) {
	tests := map[string]struct {
		policy   infrav1.TerraformDeletionPolicy
		arrange  func(w *world)
		retained bool
	}{
		"Retain and the Cluster is being deleted": {infrav1.TerraformDeletionPolicyRetain, (*world).deleteCluster, true},
		"Retain and the Cluster is gone": {infrav1.TerraformDeletionPolicyRetain, func(w *world) {
			require.NoError(w.T, api.Delete(w.T.Context(), w.Cluster))
		}, true},
		"Retain and the cache does not know the deletion of the Cluster yet": {infrav1.TerraformDeletionPolicyRetain, func(w *world) {
			stale := w.Cluster.DeepCopy()
			w.deleteCluster()
			w.reconciler.Client = controllertest.Stale[*clusterv1.Cluster]{Client: w.reconciler.Client, Object: stale}
		}, true},
		"Retain and the cache does not know the policy yet": {infrav1.TerraformDeletionPolicyRetain, func(w *world) {
			stale := w.NutanixCluster.DeepCopy()
			stale.Spec.Terraform = nil
			w.deleteCluster()
			w.reconciler.Client = controllertest.Stale[*infrav1.NutanixCluster]{Client: w.reconciler.Client, Object: stale}
		}, true},
		"Retain and only the Machine is deleted":  {infrav1.TerraformDeletionPolicyRetain, func(*world) {}, false},
		"Delete and the Cluster is being deleted": {infrav1.TerraformDeletionPolicyDelete, (*world).deleteCluster, false},
		"none and the Cluster is being deleted":   {"", (*world).deleteCluster, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.running()
			w.withPolicy(test.policy)
			test.arrange(w)
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
			assert.Empty(t, w.states(), "the state is removed")
			if !test.retained {
				assert.Empty(t, w.Prism.VMs())
				assert.Empty(t, w.exports())
				return
			}
			require.Len(t, w.Prism.VMs(), 1)
			assert.Contains(t, w.Prism.VMs()[0].Description, provisioning.WorkspaceKey(w.NutanixMachine), "the mark stays")
			assert.Equal(t, []string{"open"}, w.Terraform.Runs())
			require.Len(t, w.exports(), 1)
			assert.Contains(t, strings.Join(w.Recorder.All(), "\n"), "Normal Retained Left everything in Prism Central and exported the workspace with its Terraform state to Secret "+w.exports()[0].Name)
		})
	}
}

func TestExportedWorkspace(t *testing.T) {
	w := newWorld(t)
	w.running()
	state := string(w.states()[0].Data["state"])
	w.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	w.deleteCluster()
	w.delete()
	require.Len(t, w.exports(), 1)
	secret := w.exports()[0]
	assert.True(t, strings.HasPrefix(secret.Name, "m-terraform-"), secret.Name)
	assert.Empty(t, secret.OwnerReferences)
	assert.Equal(t, map[string]string{clusterv1.ClusterNameLabel: "c", infrav1.RetainedWorkspaceLabel: kind}, secret.Labels)
	assert.True(t, *secret.Immutable)

	files := unpack(t, secret.Data["workspace.tar.gz"])
	assert.JSONEq(t, state, files["terraform.tfstate"])
	assert.NotContains(t, files, "backend.tf", "Terraform finds the state in the directory")
	assert.Contains(t, files, "modules/machine/main.tf")
	assert.Contains(t, files["main.tf"], "# net-1", "the inputs are those of the VM, not those of a destroy")
	assert.Equal(t, "user_data = \"\"\n", files["terraform.tfvars"])
	assert.Contains(t, files["README.md"], "terraform plan")
	variables, _ := w.Terraform.Variables()
	assert.Equal(t, map[string]string{"user_data": ""}, variables)
	for name, content := range files {
		assert.NotContains(t, content, "b00tstrap", name)
	}
}

// The manager may die after it exported the workspace and before it removed the finalizer, when the state is gone already.
func TestRetentionGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	w.deleteCluster()
	require.NoError(t, api.Delete(t.Context(), w.NutanixMachine))
	w.reconcileUntil("exported", func() bool { return len(w.exports()) == 1 })
	key := lifecycle.Target{Object: w.NutanixMachine, Kind: kind}.Key()
	w.Eventually("the run has ended", func() bool { return !w.Pipeline.Pool.Running(key) })
	exported := w.exports()[0].Data
	for _, state := range w.states() {
		require.NoError(t, api.Delete(t.Context(), &state))
	}
	w.reconciler.Pipeline.Init()
	w.settle()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Len(t, w.Prism.VMs(), 1)
	require.Len(t, w.exports(), 1)
	assert.Equal(t, exported, w.exports()[0].Data)
	assert.Equal(t, []string{"open"}, w.Terraform.Runs())
}

func TestMachineWithoutVMIsNotExported(t *testing.T) {
	w := newWorld(t)
	w.CreateMachine(w.Bed)
	w.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	w.deleteCluster()
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.exports())
	assert.Empty(t, w.Terraform.Runs())
}
