package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"sigs.k8s.io/controller-runtime/pkg/event"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A machine without finalizers disappears without ever having a deletionTimestamp.
func TestOnlyDeletesPassesOnlyDeleteEvents(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	assert.True(t, OnlyDeletes.Delete(event.DeleteEvent{Object: machine}))
	assert.False(t, OnlyDeletes.Create(event.CreateEvent{Object: machine}))
	assert.False(t, OnlyDeletes.Update(event.UpdateEvent{ObjectOld: machine, ObjectNew: machine}))
	assert.False(t, OnlyDeletes.Generic(event.GenericEvent{Object: machine}))
}
