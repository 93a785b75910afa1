package provisioning

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestPauseChanged(t *testing.T) {
	d, _ := dependencies(t)
	changed := PauseChanged(d.Client.Scheme(), logr.Discard())
	paused, running := &clusterv1.Cluster{}, &clusterv1.Cluster{}
	paused.Spec.Paused = new(true)

	assert.True(t, changed.Create(event.CreateEvent{Object: paused}), "whoever was reconciled before did not know")
	assert.False(t, changed.Create(event.CreateEvent{Object: running}))
	assert.True(t, changed.Update(event.UpdateEvent{ObjectOld: running, ObjectNew: paused}))
	assert.True(t, changed.Update(event.UpdateEvent{ObjectOld: paused, ObjectNew: running}))
	assert.False(t, changed.Update(event.UpdateEvent{ObjectOld: paused, ObjectNew: paused}))
	assert.False(t, changed.Delete(event.DeleteEvent{Object: paused}))
}

// An object without the finalizer has no run. If it blocked a move, nothing would remove the annotation.
func TestOnlyObjectsWithFinalizerBlockMoves(t *testing.T) {
	for finalizer, blocks := range map[string]bool{"f": true, "g": false} {
		object := machine()
		d, api := dependencies(t, object)
		for range 2 { // the first call writes the Paused condition
			require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
			_, err := d.Pause(t.Context(), &clusterv1.Cluster{}, object, "NutanixMachine", finalizer)
			require.NoError(t, err)
		}
		require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
		_, annotated := object.Annotations[clusterctlv1.BlockMoveAnnotation]
		assert.Equal(t, blocks, annotated, "%s: %v", finalizer, object.Annotations)
	}
}
