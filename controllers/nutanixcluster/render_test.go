package nutanixcluster

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRenderNeedsOnlyTheCluster(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	rendered, err := Render(e.NutanixCluster)
	require.NoError(t, err)
	assert.Equal(t, e.NutanixCluster.Status.Terraform.WorkspaceDigest, rendered.Digest)
	e.NutanixCluster.Labels = nil
	_, err = Render(e.NutanixCluster)
	assert.ErrorContains(t, err, "it belongs to no Cluster")
}
