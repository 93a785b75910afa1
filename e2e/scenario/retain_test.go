package scenario

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
	"github.com/capnt/capnt/e2e/stack"
)

// With the deletion policy Retain, the VMs still exist after their Cluster is deleted. A user can run terraform plan
// and terraform destroy in the exported workspaces.
func TestRetainedWorkspacesPlanClean_AfterClusterDeletion(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "retained")
	c.Workers = 1
	c.apply()
	c.complete()
	before := c.vms()
	require.Len(t, before, 2)
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"deletionPolicy":"Retain"}}}`)
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, object))
	c.must(testStack.Env.WaitForGone(c.ctx, object))
	require.Empty(t, c.machines())
	logf(t, "the Cluster is deleted")

	after := c.vms()
	require.Len(t, after, 2)
	for i, vm := range after {
		assert.Equal(t, before[i].UUID, vm.UUID)
		assert.Equal(t, "ON", vm.PowerState)
		assert.Equal(t, before[i].Description, vm.Description, "the VM must keep its mark")
		assert.Equal(t, before[i].SpecVersion, vm.SpecVersion, "the VM must not be updated")
	}
	assert.Contains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), c.Name)
	left, err := testStack.LeftoversOf(c.ctx, c.Namespace, c.Name)
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(left, ", "), "Terraform", "states and locks are removed")

	secrets := &corev1.SecretList{}
	require.NoError(t, testStack.Env.Client.List(c.ctx, secrets, client.InNamespace(c.Namespace),
		client.MatchingLabels{clusterv1.ClusterNameLabel: c.Name}, client.HasLabels{infrav1.RetainedWorkspaceLabel}))
	require.Len(t, secrets.Items, 3)
	// Destroy the machines first, because Prism Central does not delete a category value that is assigned to a VM.
	for _, kind := range []string{"NutanixMachine", "NutanixCluster"} {
		for _, secret := range secrets.Items {
			if secret.Labels[infrav1.RetainedWorkspaceLabel] != kind {
				continue
			}
			assert.Empty(t, secret.OwnerReferences)
			workspace, err := testStack.WorkspaceOf(unpack(t, secret.Data["workspace.tar.gz"]))
			require.NoError(t, err)
			t.Cleanup(workspace.Close)
			require.NoError(t, workspace.PlanClean(c.ctx), secret.Name)
			logf(t, "terraform plan: No changes, for %s", secret.Name)
			destroy := []string{"destroy", "-auto-approve", "-no-color", "-input=false"}
			if kind == "NutanixCluster" && !stack.UsesV4() {
				destroy = append(destroy, "-target=module.cluster.nutanix_category_value.this") // lifecycle.prevent_destroy protects the category key
			}
			output, err := workspace.Terraform(c.ctx, destroy...)
			require.NoError(t, err, output)
		}
	}
	require.Empty(t, c.vms())
}

// unpack returns the files of a gzip-compressed tar archive by name.
func unpack(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	decompressed, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	files, reader := map[string][]byte{}, tar.NewReader(decompressed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[header.Name] = content
	}
}
