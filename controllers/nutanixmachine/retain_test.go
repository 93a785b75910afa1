package nutanixmachine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
)

// withPolicy sets the deletion policy of the cluster.
func (e *testEnvironment) withPolicy(policy infrav1.TerraformDeletionPolicy) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{DeletionPolicy: policy}
	})
}

// deleteCluster deletes the Cluster. The object stays until its machines are deleted, as in Cluster API.
func (e *testEnvironment) deleteCluster() {
	e.T.Helper()
	controllertest.Change(e.Environment, e.Cluster, func(cluster *clusterv1.Cluster) { cluster.Finalizers = []string{"cluster.cluster.x-k8s.io"} })
	require.NoError(e.T, api.Delete(e.T.Context(), e.Cluster))
}

// exports returns the Secrets with exported workspaces.
func (e *testEnvironment) exports() []corev1.Secret {
	e.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(e.T, api.List(e.T.Context(), secrets, client.InNamespace(e.Namespace), client.HasLabels{infrav1.RetainedWorkspaceLabel}))
	return secrets.Items
}

// withoutExports is a client whose cache contains no exported workspaces.
type withoutExports struct{ client.Client }

func (c withoutExports) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	err := c.Client.Get(ctx, key, into, options...)
	if _, exported := into.GetLabels()[infrav1.RetainedWorkspaceLabel]; err == nil && exported {
		return apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
	}
	return err
}

func (e *testEnvironment) states() []corev1.Secret {
	e.T.Helper()
	secrets := &corev1.SecretList{}
	require.NoError(e.T, api.List(e.T.Context(), secrets, client.InNamespace(e.Namespace), client.HasLabels{"tfstate"}))
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
		arrange  func(e *testEnvironment)
		retained bool
	}{
		"Retain and the Cluster is being deleted": {infrav1.TerraformDeletionPolicyRetain, (*testEnvironment).deleteCluster, true},
		"Retain and the Cluster is gone": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			require.NoError(e.T, api.Delete(e.T.Context(), e.Cluster))
		}, true},
		"Retain and the cache does not know the deletion of the Cluster yet": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			stale := e.Cluster.DeepCopy()
			e.deleteCluster()
			e.reconciler.Client = controllertest.Stale[*clusterv1.Cluster]{Client: e.reconciler.Client, Object: stale}
		}, true},
		"Retain and the cache does not know the policy yet": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			stale := e.NutanixCluster.DeepCopy()
			stale.Spec.Terraform = nil
			e.deleteCluster()
			e.reconciler.Client = controllertest.Stale[*infrav1.NutanixCluster]{Client: e.reconciler.Client, Object: stale}
		}, true},
		"Retain and only the cache still knows the NutanixCluster": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			stale := e.NutanixCluster.DeepCopy()
			e.deleteCluster()
			require.NoError(e.T, api.Delete(e.T.Context(), e.NutanixCluster))
			e.reconciler.Client = controllertest.Stale[*infrav1.NutanixCluster]{Client: e.reconciler.Client, Object: stale}
		}, true},
		"Retain and the cache does not know the exported workspace yet": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			e.deleteCluster()
			e.reconciler.Client = withoutExports{e.reconciler.Client}
		}, true},
		"Retain and a category was deleted in Prism Central": {infrav1.TerraformDeletionPolicyRetain, func(e *testEnvironment) {
			mutate(e, func(machine *infrav1.NutanixMachine) {
				machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "deleted"}}
			})
			e.deleteCluster()
		}, true},
		"Retain and only the Machine is deleted":  {infrav1.TerraformDeletionPolicyRetain, func(*testEnvironment) {}, false},
		"Delete and the Cluster is being deleted": {infrav1.TerraformDeletionPolicyDelete, (*testEnvironment).deleteCluster, false},
		"none and the Cluster is being deleted":   {"", (*testEnvironment).deleteCluster, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			e.withPolicy(test.policy)
			test.arrange(e)
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
			assert.Empty(t, e.states(), "the state is removed")
			if !test.retained {
				assert.Empty(t, e.Prism.VMs())
				assert.Empty(t, e.exports())
				return
			}
			require.Len(t, e.Prism.VMs(), 1)
			assert.Contains(t, e.Prism.VMs()[0].Description, provisioning.WorkspaceKey(e.NutanixMachine), "the mark stays")
			assert.Equal(t, []string{"open"}, e.Terraform.Runs())
			require.Len(t, e.exports(), 1)
			assert.Contains(t, strings.Join(e.Recorder.All(), "\n"), "Normal Retained Left everything in Prism Central and exported the workspace with its Terraform state to Secret "+e.exports()[0].Name)
		})
	}
}

func TestExportedWorkspace(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	compressed, err := gzip.NewReader(bytes.NewReader(e.states()[0].Data["tfstate"]))
	require.NoError(t, err)
	state, err := io.ReadAll(compressed)
	require.NoError(t, err)
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	e.deleteCluster()
	e.delete()
	require.Len(t, e.exports(), 1)
	secret := e.exports()[0]
	assert.True(t, strings.HasPrefix(secret.Name, "m-terraform-"), secret.Name)
	assert.Empty(t, secret.OwnerReferences)
	assert.Equal(t, map[string]string{clusterv1.ClusterNameLabel: "c", infrav1.RetainedWorkspaceLabel: kind}, secret.Labels)
	assert.Equal(t, map[string]string{infrav1.WorkspaceKeyAnnotation: provisioning.WorkspaceKey(e.NutanixMachine)}, secret.Annotations)
	assert.True(t, *secret.Immutable)

	files := unpack(t, secret.Data["workspace.tar.gz"])
	assert.JSONEq(t, string(state), files["terraform.tfstate"])
	assert.NotContains(t, files, "backend.tf", "Terraform finds the state in the directory")
	assert.Contains(t, files, "modules/machine/main.tf")
	assert.Contains(t, files["main.tf"], "# net-1", "the inputs are those of the VM, not those of a destroy")
	assert.Equal(t, "user_data = \"\"\n", files["terraform.tfvars"])
	assert.Contains(t, files["README.md"], "terraform plan")
	variables, _ := e.Terraform.Variables()
	assert.Equal(t, map[string]string{"user_data": ""}, variables)
	for name, content := range files {
		assert.NotContains(t, content, "b00tstrap", name)
	}
}

// The manager may crash after it has exported the workspace and removed the state, but before it removes the finalizer.
func TestRetainContinuesAfterRestart(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	e.deleteCluster()
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.reconcileUntil("exported", func() bool { return len(e.exports()) == 1 })
	key := lifecycle.Target{Object: e.NutanixMachine, Kind: kind}.Key()
	e.Eventually("the run has ended", func() bool { return !e.Pipeline.Scheduler.Running(key) })
	exported := e.exports()[0].Data
	for _, state := range e.states() {
		require.NoError(t, api.Delete(t.Context(), &state))
	}
	e.reconciler.Pipeline.Init()
	e.settle()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Len(t, e.Prism.VMs(), 1)
	require.Len(t, e.exports(), 1)
	assert.Equal(t, exported, e.exports()[0].Data)
	assert.Equal(t, []string{"open"}, e.Terraform.Runs())
}

// heldExport is a client whose Create holds the run that exports a workspace, after the Secret was created.
type heldExport struct {
	client.Client
	created, release chan struct{}
}

func (c heldExport) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	err := c.Client.Create(ctx, object, options...)
	if _, exported := object.GetLabels()[infrav1.RetainedWorkspaceLabel]; exported {
		close(c.created)
		<-c.release
	}
	return err
}

func TestStateStaysUntilTheExportEnds(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	e.deleteCluster()
	held := heldExport{e.reconciler.Client, make(chan struct{}), make(chan struct{})}
	release := sync.OnceFunc(func() { close(held.release) })
	t.Cleanup(release)
	e.reconciler.Client = held
	require.NoError(t, api.Delete(t.Context(), e.NutanixMachine))
	e.reconcileUntil("the Secret is created", func() bool {
		select {
		case <-held.created:
			return true
		default:
			return false
		}
	})
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	require.False(t, e.Gone(e.NutanixMachine))
	assert.Len(t, e.states(), 1, "the run still uses the state")
	release()
	e.settle()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.states())
}

func TestMachineWithoutVMIsNotExported(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateMachine(e.Environment)
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	e.deleteCluster()
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.exports())
	assert.Empty(t, e.Terraform.Runs())
}
