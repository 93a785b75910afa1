package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestRenderNeedsOnlyTheObjects(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	rendered, err := Render(e.NutanixMachine, e.NutanixCluster)
	require.NoError(t, err)
	exported, err := e.reconciler.Export(t.Context(), e.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, exported, rendered)
	assert.Equal(t, e.NutanixMachine.Status.Terraform.WorkspaceDigest, rendered.Digest)

	delete(e.NutanixMachine.Annotations, infrav1.PinnedInputsAnnotation)
	_, err = Render(e.NutanixMachine, e.NutanixCluster)
	assert.ErrorContains(t, err, "its names are not resolved yet")
}
