package provisioning

import (
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
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
