package snapshot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/stack"
)

// The snapshot of each release contains an object of every kind, so that upgrade tests cover all kinds.
func TestReleaseSnapshotsContainAllKinds(t *testing.T) {
	releases, err := filepath.Glob("../testdata/*")
	require.NoError(t, err)
	require.NotEmpty(t, releases)
	for _, dir := range releases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			saved, err := Read(dir)
			require.NoError(t, err)
			kinds, states := map[string]int{}, 0
			for _, object := range saved.Objects {
				kinds[object.GetKind()]++
				assert.NotEmpty(t, object.GetUID(), object.GetName())
				if object.GetKind() == "Secret" && object.GetLabels()["tfstate"] == "true" {
					states++
				}
			}
			for kind, count := range map[string]int{
				"Cluster": 1, "Machine": 2, "NutanixCluster": 1, "NutanixClusterTemplate": 1, "NutanixMachine": 2,
				"NutanixMachineTemplate": 2, "NutanixFailureDomain": 1, "Lease": 3,
				"KubeadmControlPlane": 1, "KubeadmConfig": 2, "KubeadmConfigTemplate": 1, "MachineDeployment": 1, "MachineSet": 1,
			} {
				assert.Equal(t, count, kinds[kind], kind)
			}
			assert.Equal(t, 3, states, "Terraform states")
			assert.Len(t, saved.Prism.VMs, 2)
			_, err = saved.Inventory(stack.SampleNetwork())
			require.NoError(t, err)
			for _, name := range []string{
				"crds.yaml", "manager.yaml", "README.md",
				"templates/cluster-template.yaml", "templates/cluster-template-ccm.yaml", "templates/cluster-template-csi.yaml",
			} {
				_, err := os.Stat(filepath.Join(dir, name))
				assert.NoError(t, err)
			}
		})
	}
}

func TestReadReturnsWrittenSnapshot(t *testing.T) {
	saved, err := Read("../testdata/v0.1.0")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, saved.Write(dir))
	read, err := Read(dir)
	require.NoError(t, err)
	assert.Equal(t, saved.Objects, read.Objects)
	assert.Equal(t, saved.Prism, read.Prism)
}
