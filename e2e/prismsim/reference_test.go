package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
)

const unknown = "11111111-2222-4333-8444-555555555555"

func TestUnknownReferencesAreUnprocessable(t *testing.T) {
	s := start(t, nil)
	tests := map[string]func(*v3.VMIntentInput){
		"image " + unknown + " does not exist":   func(b *v3.VMIntentInput) { b.Spec.Resources.DiskList[0].DataSourceReference.UUID = ptr(unknown) },
		"subnet " + unknown + " does not exist":  func(b *v3.VMIntentInput) { b.Spec.Resources.NicList[0].SubnetReference.UUID = ptr(unknown) },
		"cluster " + unknown + " does not exist": func(b *v3.VMIntentInput) { b.Spec.ClusterReference.UUID = ptr(unknown) },
		"cluster (none) does not exist":          func(b *v3.VMIntentInput) { b.Spec.ClusterReference = nil },
		"project " + unknown + " does not exist": func(b *v3.VMIntentInput) { b.Metadata.ProjectReference = ref("project", unknown) },
		"Category AppTier:None does not exist":   func(b *v3.VMIntentInput) { b.Metadata.Categories = map[string]string{"AppTier": "None"} },
		"Category Nothing:None does not exist":   func(b *v3.VMIntentInput) { b.Metadata.Categories = map[string]string{"Nothing": "None"} },
		"does not belong to cluster": func(b *v3.VMIntentInput) {
			b.Spec.Resources.NicList[0].SubnetReference = ref("subnet", named(t, s, "subnet", "vm-network-2"))
		},
		"storage container " + unknown + " does not exist on cluster": func(b *v3.VMIntentInput) {
			b.Spec.Resources.DiskList[0].StorageConfig = &v3.VMStorageConfig{
				StorageContainerReference: &v3.StorageContainerReference{Kind: "storage_container", UUID: unknown},
			}
		},
		"disk_size_mib 40960 does not match disk_size_bytes 1": func(b *v3.VMIntentInput) { b.Spec.Resources.DiskList[0].DiskSizeBytes = ptr(int64(1)) },
		"more than one device at scsi.0": func(b *v3.VMIntentInput) {
			at := &v3.VMDiskDeviceProperties{DiskAddress: &v3.DiskAddress{AdapterType: ptr("SCSI"), DeviceIndex: ptr(int64(0))}}
			b.Spec.Resources.DiskList[0].DeviceProperties = at
			b.Spec.Resources.DiskList = append(b.Spec.Resources.DiskList, &v3.VMDisk{DiskSizeMib: ptr(int64(1)), DeviceProperties: at})
		},
		"one of disk_size_mib, disk_size_bytes": func(b *v3.VMIntentInput) { b.Spec.Resources.DiskList[0] = &v3.VMDisk{} },
		`adapter_type "USB"`: func(b *v3.VMIntentInput) {
			b.Spec.Resources.DiskList[0].DeviceProperties = &v3.VMDiskDeviceProperties{DiskAddress: &v3.DiskAddress{AdapterType: ptr("USB")}}
		},
		"disk " + unknown + " does not exist":     func(b *v3.VMIntentInput) { b.Spec.Resources.DiskList[0].UUID = ptr(unknown) },
		"subnet_reference is a required property": func(b *v3.VMIntentInput) { b.Spec.Resources.NicList[0].SubnetReference = nil },
		"spec.name is a required property":        func(b *v3.VMIntentInput) { b.Spec.Name = nil },
		"metadata.kind":                           func(b *v3.VMIntentInput) { b.Metadata.Kind = ptr("subnet") },
		"memory_size_mib: 0 is less":              func(b *v3.VMIntentInput) { b.Spec.Resources.MemorySizeMib = ptr(int64(0)) },
		"boot_config.boot_type":                   func(b *v3.VMIntentInput) { b.Spec.Resources.BootConfig = &v3.VMBootConfig{BootType: ptr("BIOS")} },
		"user_data is not base64 encoded": func(b *v3.VMIntentInput) {
			b.Spec.Resources.GuestCustomization = &v3.GuestCustomization{CloudInit: &v3.GuestCustomizationCloudInit{UserData: ptr("#cloud-config")}}
		},
	}
	for text, change := range tests {
		t.Run(text, func(t *testing.T) {
			body := intent(t, s, "vm-1")
			change(body)
			raw, err := json.Marshal(body)
			require.NoError(t, err)
			response, out := request(t, s, http.MethodPost, "/api/nutanix/v3/vms", string(raw), nil)
			assert.Equal(t, http.StatusUnprocessableEntity, response.StatusCode)
			var refused struct {
				State       string
				Code        int
				Kind        string
				MessageList []struct{ Message, Reason string } `json:"message_list"`
			}
			require.NoError(t, json.Unmarshal([]byte(out), &refused))
			assert.Equal(t, "ERROR", refused.State)
			assert.Equal(t, 422, refused.Code)
			assert.Contains(t, refused.MessageList[0].Message, text)
			assert.Equal(t, "INVALID_ARGUMENT", refused.MessageList[0].Reason)
		})
	}
	assert.Empty(t, s.VMs())
	assert.Empty(t, s.Tasks())
}

func TestOverlaySubnetsServeEveryPrismElement(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	for _, pe := range []string{"nutanix-cluster-1", "nutanix-cluster-2"} {
		body := withSubnet(intent(t, s, pe), ref("subnet", named(t, s, "subnet", "overlay-network")))
		body.Spec.ClusterReference = ref("cluster", named(t, s, "cluster", pe))
		assert.Regexp(t, `^127\.40\.50\.`, *create(t, client, body).Spec.Resources.NicList[0].IPEndpointList[0].IP)
	}
	subnet, err := client.GetSubnet(t.Context(), named(t, s, "subnet", "overlay-network"))
	require.NoError(t, err)
	assert.Nil(t, subnet.Status.ClusterReference)
}

func TestEntitiesOfTheInventory(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)

	clusters, err := client.ListAllCluster(t.Context(), "")
	require.NoError(t, err)
	assert.Len(t, clusters.Entities, 4)
	assert.Len(t, clusters.GetPrismElements(), 3)

	image, err := client.GetImage(t.Context(), named(t, s, "image", "ubuntu-22.04-kube-v1.28.0"))
	require.NoError(t, err)
	assert.EqualValues(t, 10<<30, *image.Status.Resources.SizeBytes)
	assert.Equal(t, 2024, image.Metadata.CreationTime.Year())

	project, err := client.GetProject(t.Context(), named(t, s, "project", "platform"))
	require.NoError(t, err)
	assert.Equal(t, "platform", project.Status.Name)

	subnet, err := client.GetSubnet(t.Context(), named(t, s, "subnet", "vm-network"))
	require.NoError(t, err)
	assert.Equal(t, "127.40.1.1", subnet.Spec.Resources.IPConfig.DefaultGatewayIP)

	_, err = client.GetPrismCentral(t.Context())
	require.NoError(t, err)
	for _, get := range []func() error{
		func() error { _, err := client.GetImage(t.Context(), unknown); return err },
		func() error { _, err := client.GetSubnet(t.Context(), unknown); return err },
		func() error { _, err := client.GetCluster(t.Context(), unknown); return err },
		func() error { _, err := client.GetProject(t.Context(), unknown); return err },
		func() error { _, err := client.GetHost(t.Context(), unknown); return err },
		func() error { _, err := client.GetVM(t.Context(), unknown); return err },
	} {
		assert.ErrorContains(t, get(), "ENTITY_NOT_FOUND")
	}
	_, err = client.GetVM(t.Context(), "no-uuid")
	assert.ErrorContains(t, err, "not a valid UUID")

	response, body := request(t, s, http.MethodGet, "/api/nutanix/v3/nothing", "", nil)
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	assert.NotContains(t, body, "ENTITY_NOT_FOUND", "an unknown URL is no vanished entity")
}

func TestGroupsListsStorageContainers(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	reply, err := client.GroupsGetEntities(t.Context(), &v3.GroupsGetEntitiesRequest{
		EntityType: ptr("storage_container"), FilterCriteria: "container_name==fast;cluster==" + named(t, s, "cluster", "nutanix-cluster-1"),
		GroupMemberAttributes: []*v3.GroupsRequestedAttribute{{Attribute: ptr("container_name")}, {Attribute: ptr("cluster")}, {Attribute: ptr("other")}},
	})
	require.NoError(t, err)
	require.Len(t, reply.GroupResults, 1)
	require.Len(t, reply.GroupResults[0].EntityResults, 1)
	found := reply.GroupResults[0].EntityResults[0]
	assert.Equal(t, named(t, s, "storage_container", "fast"), found.EntityID)
	assert.Equal(t, []string{"fast"}, found.Data[0].Values[0].Values)
	assert.Empty(t, found.Data[2].Values)

	reply, err = client.GroupsGetEntities(t.Context(), &v3.GroupsGetEntitiesRequest{EntityType: ptr("storage_container"), FilterCriteria: "container_name==none"})
	require.NoError(t, err)
	assert.Empty(t, reply.GroupResults)
	_, err = client.GroupsGetEntities(t.Context(), &v3.GroupsGetEntitiesRequest{EntityType: ptr("disk")})
	assert.ErrorContains(t, err, "not served")
}
