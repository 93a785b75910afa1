package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
	clusters "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/config"
	clusterrequest "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/request/clusters"
	containerrequest "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/request/storagecontainers"
	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	content "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/content"

	"github.com/capnt/capnt/e2e/prismsim"
)

const noEntity = "11111111-2222-4333-8444-555555555555"

func TestVendorSDKReadsImages(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	response, err := sdk.images.ListImages(nil, nil, nil, nil, nil)
	require.NoError(t, err)
	all := response.GetData().([]content.Image)
	assert.Len(t, all, 7)
	for filter, want := range map[string]int{
		"name eq 'ubuntu-22.04-kube-v1.28.0'": 1, "name eq 'none'": 0, "startswith(name, 'ubuntu')": 3,
		"type eq Vmm.Content.ImageType'ISO_IMAGE'": 1, "sizeBytes lt 2147483648": 2,
	} {
		response, err := sdk.images.ListImages(nil, nil, &filter, nil, nil)
		require.NoError(t, err, filter)
		assert.Equal(t, want, *response.Metadata.TotalAvailableResults, filter)
	}
	id := named(t, s, "image", "bootstrap-iso")
	got, err := sdk.images.GetImageById(&id)
	require.NoError(t, err)
	image := got.GetData().(content.Image)
	assert.Equal(t, "bootstrap-iso", *image.Name)
	assert.Equal(t, content.IMAGETYPE_ISO_IMAGE, *image.Type)
	assert.EqualValues(t, 64<<20, *image.SizeBytes)
	assert.Len(t, image.ClusterLocationExtIds, 3)
	assert.Empty(t, image.UnknownFields_)
	_, err = sdk.images.GetImageById(ptr(noEntity))
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}

func TestVendorSDKReadsStorageContainers(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	element := named(t, s, "cluster", "nutanix-cluster-1")
	filter := "name eq 'fast' and clusterExtId eq '" + element + "'"
	response, err := sdk.containers.ListStorageContainers(t.Context(), &containerrequest.ListStorageContainersRequest{Filter_: &filter})
	require.NoError(t, err)
	list := response.GetData().([]clusters.StorageContainer)
	require.Len(t, list, 1)
	assert.Equal(t, named(t, s, "storage_container", "fast"), *list[0].ContainerExtId)
	assert.Equal(t, "nutanix-cluster-1", *list[0].ClusterName)
	got, err := sdk.containers.GetStorageContainerById(t.Context(), &containerrequest.GetStorageContainerByIdRequest{ExtId: list[0].ContainerExtId})
	require.NoError(t, err)
	assert.Equal(t, "fast", *got.GetData().(clusters.StorageContainer).Name)
	_, err = sdk.containers.GetStorageContainerById(t.Context(), &containerrequest.GetStorageContainerByIdRequest{ExtId: ptr(noEntity)})
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}

func TestVendorSDKReadsGPUProfiles(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	element := named(t, s, "cluster", "nutanix-cluster-1")
	physical := func() []clusters.PhysicalGpuProfile {
		response, err := sdk.clusters.ListPhysicalGpuProfiles(t.Context(), &clusterrequest.ListPhysicalGpuProfilesRequest{ClusterExtId: &element})
		require.NoError(t, err)
		return response.GetData().([]clusters.PhysicalGpuProfile)
	}
	require.Len(t, physical(), 2)
	first := physical()[0].PhysicalGpuConfig
	assert.Equal(t, "Tesla T4", *first.DeviceName)
	assert.EqualValues(t, 7864, *first.DeviceId)
	assert.Equal(t, clusters.GPUTYPE_PASSTHROUGH_COMPUTE, *first.Type)
	assert.False(t, *first.IsInUse)

	body := intent(t, s, "gpu")
	body.Spec.Resources.GpuList = []*v3.VMGpu{{Vendor: ptr("NVIDIA"), Mode: ptr("PASSTHROUGH_COMPUTE"), DeviceID: ptr(int64(7864))}}
	made := create(t, connect(t, s, nil), body)
	assert.True(t, *physical()[0].PhysicalGpuConfig.IsInUse)
	assert.Equal(t, clusters.GPUMODE_USED_FOR_PASSTHROUGH, *physical()[0].PhysicalGpuConfig.Mode)
	assert.Equal(t, []string{*made.Metadata.UUID}, physical()[0].AllocatedVmExtIds)

	response, err := sdk.clusters.ListVirtualGpuProfiles(t.Context(), &clusterrequest.ListVirtualGpuProfilesRequest{ClusterExtId: &element})
	require.NoError(t, err)
	virtual := response.GetData().([]clusters.VirtualGpuProfile)
	require.Len(t, virtual, 1)
	assert.Equal(t, "NVIDIA A16-4Q", *virtual[0].VirtualGpuConfig.DeviceName)
	assert.EqualValues(t, 4, *virtual[0].VirtualGpuConfig.Assignable)
	filter := "physicalGpuConfig/deviceName eq 'Tesla T4' and physicalGpuConfig/isInUse eq false"
	free, err := sdk.clusters.ListPhysicalGpuProfiles(t.Context(), &clusterrequest.ListPhysicalGpuProfilesRequest{ClusterExtId: &element, Filter_: &filter})
	require.NoError(t, err)
	assert.Equal(t, 1, *free.Metadata.TotalAvailableResults)
	_, err = sdk.clusters.ListVirtualGpuProfiles(t.Context(), &clusterrequest.ListVirtualGpuProfilesRequest{ClusterExtId: ptr(noEntity)})
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}

func TestVendorSDKReadsVersions(t *testing.T) {
	s := start(t, func(o *prismsim.Options) {
		o.Inventory.PrismCentral.Version, o.Inventory.PrismCentral.APIVersion = "pc.7.5.1", "v4.3"
		o.Inventory.PrismElements[1].Version = "7.5"
	})
	sdk := newVendorSDK(t, s)
	response, err := sdk.domainManagers.ListDomainManagers(nil)
	require.NoError(t, err)
	list := response.GetData().([]prism.DomainManager)
	require.Len(t, list, 1)
	assert.Equal(t, "pc.7.5.1", *list[0].Config.BuildInfo.Version)
	got, err := sdk.domainManagers.GetDomainManagerById(list[0].ExtId)
	require.NoError(t, err)
	assert.Equal(t, "prism-central", *got.GetData().(prism.DomainManager).Config.Name)
	_, err = sdk.domainManagers.GetDomainManagerById(ptr(noEntity))
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")

	elements, err := sdk.clusters.ListClusters(t.Context(), &clusterrequest.ListClustersRequest{})
	require.NoError(t, err)
	var versions []string
	for _, cluster := range elements.GetData().([]clusters.Cluster) {
		versions = append(versions, *cluster.Config.BuildInfo.Version)
	}
	assert.Equal(t, []string{"7.0", "7.5", "7.0", "pc.7.5.1"}, versions)
	for namespace, want := range map[string]string{"vmm": "v4.2", "clustermgmt": "v4.2", "volumes": "v4.2", "prism": "v4.3", "networking": "v4.3"} {
		_, body := v4(t, s, http.MethodOptions, namespace+"/unversioned/info", "")
		assert.Equal(t, want, body["data"], namespace)
	}
	status, _ := v4(t, s, http.MethodGet, "networking/v4.3/config/subnets", "")
	assert.Equal(t, http.StatusOK, status)
}

func TestVendorSDKUpdatesCategory(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, func(f *prismsim.Fleet) { f.Categories = map[string]string{"Environment": "Testing"} })
	sdk := newVendorSDK(t, s)
	id, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)
	read := func() prism.Category {
		response, err := sdk.categories.GetCategoryById(&id, nil)
		require.NoError(t, err)
		return response.GetData().(prism.Category)
	}
	category, old := read(), read()
	category.Value, category.Description = ptr("Test"), ptr("d")
	response, err := sdk.categories.UpdateCategoryById(&id, &category)
	require.NoError(t, err)
	assert.NotNil(t, response.GetData())
	assert.Equal(t, "Test d", *read().Value+" "+*read().Description)
	assert.Equal(t, map[string][]string{"Environment": {"Test"}}, vmView(t, s, vm.UUID).CategoryValues, "the VM keeps the category")

	_, err = sdk.categories.UpdateCategoryById(&id, &old)
	require.ErrorContains(t, err, "CATEGORY_ETAG_MISMATCH")
	category = read()
	category.Value = ptr("Production")
	_, err = sdk.categories.UpdateCategoryById(&id, &category)
	require.ErrorContains(t, err, "ENTITY_ALREADY_EXISTS")
	category.Key, category.Value = ptr("Other"), ptr("Test")
	_, err = sdk.categories.UpdateCategoryById(&id, &category)
	require.ErrorContains(t, err, "cannot be changed")
	missing := noEntity
	_, err = sdk.categories.UpdateCategoryById(&missing, &category)
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}

// vmView returns a VM.
func vmView(t *testing.T, s *prismsim.Server, id string) prismsim.VM {
	t.Helper()
	for _, vm := range s.VMs() {
		if vm.UUID == id {
			return vm
		}
	}
	require.Fail(t, "there is no such VM", id)
	return prismsim.VM{}
}
