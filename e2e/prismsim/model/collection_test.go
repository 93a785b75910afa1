package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// The lag of a list counts from the end of a creation, however long the creation takes.
func TestListLagCountsFromTheEndOfTheCreation(t *testing.T) {
	entities, err := inventory.Load("../testdata/inventory.yaml")
	require.NoError(t, err)
	central, err := New(entities, Settings{})
	require.NoError(t, err)
	vm := central.NewVM(&wire.VMIntent{Metadata: &wire.Metadata{Kind: "vm"}, Spec: &wire.VMSpec{
		Name: "vm-1", ClusterReference: central.PrismElementReference(central.PrismElements[0]), Resources: &wire.VMResources{},
	}}, time.Now())
	central.VMs.Predate()
	require.Nil(t, central.FinishCreate(vm))
	assert.Empty(t, central.VMs.Listed(time.Hour))
	assert.Len(t, central.VMs.Listed(0), 1)
}
