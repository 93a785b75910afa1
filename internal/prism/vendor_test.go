package prism

import (
	"testing"

	prismgoclient "github.com/nutanix-cloud-native/prism-go-client"
	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// vendorClient returns the v3 client of prism-go-client, connected to central.
func vendorClient(t *testing.T, central *central) v3.Service {
	t.Helper()
	address := central.Listener.Addr().String()
	client, err := v3.NewV3Client(
		prismgoclient.Credentials{URL: address, Endpoint: address, Username: "admin", Password: "pw"},
		v3.WithRoundTripper(central.Client().Transport),
	)
	require.NoError(t, err)
	return client.V3
}

// TestVendorClientReadsTheSameResponses checks that prism-go-client and this package parse the same values from testdata. So testdata has
// the field names of the real API.
func TestVendorClientReadsTheSameResponses(t *testing.T) {
	central := newCentral(t)
	ours, vendor := central.client(t), vendorClient(t, central)
	ctx := t.Context()

	clusters, err := vendor.ListAllCluster(ctx, "")
	require.NoError(t, err)
	var elements []string
	for _, cluster := range clusters.GetPrismElements() {
		elements = append(elements, *cluster.Metadata.UUID)
		found, err := ours.PrismElement(ctx, byUUID(*cluster.Metadata.UUID))
		require.NoError(t, err)
		assert.Equal(t, Entity{*cluster.Metadata.UUID, cluster.Status.Name}, found)
	}
	assert.Len(t, elements, 4)

	subnets, err := vendor.ListAllSubnet(ctx, "name==net", nil)
	require.NoError(t, err)
	require.Len(t, subnets.Entities, 2)
	for _, subnet := range subnets.Entities {
		found, err := ours.Subnet(ctx, byName("net"), *subnet.Status.ClusterReference.UUID)
		require.NoError(t, err)
		assert.Equal(t, *subnet.Metadata.UUID, found.UUID)
	}

	images, err := vendor.ListAllImage(ctx, "")
	require.NoError(t, err)
	first := images.Entities[0]
	image, err := ours.Image(ctx, byUUID(*first.Metadata.UUID))
	require.NoError(t, err)
	assert.Equal(t, Image{Entity{*first.Metadata.UUID, *first.Status.Name}, *first.Status.Resources.SizeBytes, *first.Metadata.CreationTime}, image)

	vm, err := vendor.GetVM(ctx, uuid(6, 1))
	require.NoError(t, err)
	known, err := ours.VM(ctx, uuid(6, 1))
	require.NoError(t, err)
	assert.Equal(t, vm.Metadata.Categories, known.Categories)
	assert.Equal(t, *vm.Status.Resources.PowerState, known.PowerState)
	assert.Equal(t, *vm.Status.ClusterReference.UUID, known.PrismElement)
	assert.Equal(t, *vm.Status.Resources.NicList[0].IPEndpointList[0].IP, known.Addresses[0])

	hosts, err := vendor.ListAllHost(ctx)
	require.NoError(t, err)
	card := hosts.Entities[1].Status.Resources.GPUList[2]
	gpus, err := ours.GPUs(ctx, []infrav1.NutanixGPU{gpuByID(*card.DeviceID)}, hosts.Entities[1].Status.ClusterReference.UUID)
	require.NoError(t, err)
	assert.Equal(t, []GPU{{card.Name, card.Vendor, card.Mode, *card.DeviceID}}, gpus)

	entityType, name, home := "storage_container", attributeContainerName, attributeCluster
	containers, err := vendor.GroupsGetEntities(ctx, &v3.GroupsGetEntitiesRequest{
		EntityType:            &entityType,
		GroupMemberAttributes: []*v3.GroupsRequestedAttribute{{Attribute: &name}, {Attribute: &home}},
	})
	require.NoError(t, err)
	container := containers.GroupResults[0].EntityResults[0]
	found, err := ours.StorageContainer(ctx, byName(container.Data[0].Values[0].Values[0]), container.Data[1].Values[0].Values[0])
	require.NoError(t, err)
	assert.Equal(t, container.EntityID, found.UUID)

	projects, err := vendor.ListAllProject(ctx, "name==default")
	require.NoError(t, err)
	project, err := ours.Project(ctx, byName("default"))
	require.NoError(t, err)
	assert.Equal(t, *projects.Entities[0].Metadata.UUID, project.UUID)
}
