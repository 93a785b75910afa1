package prism

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	clustermgmt "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/config"
	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	sdkprism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	sdkvmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
	content "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/content"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// sdkEntities returns one entity of each kind by the path of its list.
func sdkEntities(t *testing.T) map[string]any {
	t.Helper()
	cluster := clustermgmt.NewCluster()
	cluster.ExtId, cluster.Name, cluster.Config = ptr.To("PE"), ptr.To("pe-1"), clustermgmt.NewClusterConfigReference()
	cluster.Config.ClusterFunction = []clustermgmt.ClusterFunctionRef{clustermgmt.CLUSTERFUNCTIONREF_AOS}
	cluster.Config.IsAvailable = ptr.To(true)
	container := clustermgmt.NewStorageContainer()
	container.ExtId, container.ContainerExtId, container.ClusterExtId, container.Name = ptr.To("other"), ptr.To("SC"), ptr.To("pe"), ptr.To("fast")
	profile := clustermgmt.NewPhysicalGpuProfile()
	profile.ExtId, profile.PhysicalGpuConfig = ptr.To("g"), clustermgmt.NewPhysicalGpuConfig()
	profile.PhysicalGpuConfig.DeviceId, profile.PhysicalGpuConfig.DeviceName = ptr.To[int64](7864), ptr.To("Tesla T4")
	profile.PhysicalGpuConfig.VendorName, profile.PhysicalGpuConfig.Type = ptr.To("kNvidia"), clustermgmt.GPUTYPE_PASSTHROUGH_COMPUTE.Ref()
	profile.PhysicalGpuConfig.Assignable, profile.PhysicalGpuConfig.IsInUse = ptr.To[int64](2), ptr.To(false)
	image := content.NewImage()
	image.ExtId, image.Name, image.SizeBytes, image.CreateTime = ptr.To("I"), ptr.To("ubuntu"), ptr.To[int64](7), ptr.To(time.Unix(1000, 0).UTC())
	subnet := networking.NewSubnet()
	subnet.ExtId, subnet.Name, subnet.SubnetType = ptr.To("S"), ptr.To("net"), networking.SUBNETTYPE_VLAN.Ref()
	subnet.ClusterReferenceList, subnet.ClusterNameList = []string{"pe", "other"}, []string{"pe-1", "pe-2"}
	category := sdkprism.NewCategory()
	category.ExtId, category.Key, category.Value = ptr.To("C"), ptr.To("k"), ptr.To("v")
	vm := sdkvmm.NewVm()
	vm.ExtId, vm.Name, vm.Description, vm.PowerState = ptr.To("V"), ptr.To("m-1"), ptr.To("ours"), sdkvmm.POWERSTATE_UNDETERMINED.Ref()
	vm.Cluster, vm.Categories = sdkvmm.NewClusterReference(), []sdkvmm.CategoryReference{{ExtId: ptr.To("C")}}
	vm.Cluster.ExtId = ptr.To("PE")
	group, disk := sdkvmm.NewADSFVolumeGroupReference(), sdkvmm.NewDisk()
	group.VolumeGroupExtId, disk.DiskAddress = ptr.To("VG"), sdkvmm.NewDiskAddress()
	disk.DiskAddress.BusType, disk.DiskAddress.Index = sdkvmm.DISKBUSTYPE_SCSI.Ref(), ptr.To(1)
	require.NoError(t, disk.SetBackingInfo(*group))
	vm.Disks = []sdkvmm.Disk{*disk}

	return map[string]any{
		"clustermgmt/config/clusters": cluster, "clustermgmt/config/storage-containers": container, "vmm/content/images": image,
		"clustermgmt/config/clusters/pe/physical-gpu-profiles": profile, "networking/config/subnets": subnet,
		"prism/config/categories": category, "vmm/ahv/config/vms": vm,
	}
}

// TestEntitiesAreReadAsTheSDKWritesThem checks that the field names of the v4 API are those of the models of the SDKs.
func TestEntitiesAreReadAsTheSDKWritesThem(t *testing.T) {
	server := prismv4test.New(t)
	for path, entity := range sdkEntities(t) {
		text, err := json.Marshal(entity)
		require.NoError(t, err)
		server.On("GET "+path, prismv4test.Answer(http.StatusOK, prismv4test.Items(1, string(text))))
		server.On("GET "+path+"/v", prismv4test.Answer(http.StatusOK, `{"data":`+string(text)+`}`))
	}
	server.On("GET clustermgmt/config/clusters/pe/virtual-gpu-profiles", prismv4test.Answer(http.StatusOK, prismv4test.Items(0)))
	endpoint := server.Endpoint(t)
	client, err := New(Upstream{
		Address: server.Listener.Addr().String(), CABundle: endpoint.TrustBundle, Username: endpoint.Username, Password: endpoint.Password,
	}, Options{API: V4})
	require.NoError(t, err)
	t.Cleanup(client.Close)

	check := func(want, got any, err error) {
		t.Helper()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	ctx := t.Context()
	elements, err := client.AvailablePrismElements(ctx)
	check([]string{"pe"}, elements, err)
	entity, err := client.StorageContainer(ctx, byName("fast"), "pe")
	check(Entity{"sc", "fast"}, entity, err)
	gpus, err := client.GPUs(ctx, []infrav1.NutanixGPU{gpuByID(7864), gpuByID(7864)}, "pe")
	t4 := GPU{Name: "Tesla T4", Vendor: "NVIDIA", Mode: GPUPassthroughCompute, DeviceID: 7864}
	check([]GPU{t4, t4}, gpus, err)
	found, err := client.Image(ctx, byName("ubuntu"))
	check(Image{Entity{"i", "ubuntu"}, 7, time.Unix(1000, 0).UTC()}, found, err)
	entity, err = client.Subnet(ctx, byName("net"), "other")
	check(Entity{"s", "net"}, entity, err)
	all, err := client.AllVMs(ctx)
	require.NoError(t, err)
	require.Len(t, all.VMs, 1)
	single, err := client.VM(ctx, "V")
	check(all.VMs[0], *single, err)
	check(VM{
		UUID: "v", Name: "m-1", Description: "ours", State: "COMPLETE", PrismElement: "pe", Categories: map[string]string{"k": "v"},
		CategoryValues: map[string][]string{"k": {"v"}}, AllCategories: []Category{{"c", "k", "v"}}, Digest: single.Digest,
	}, *single, nil)
	attachments, err := client.Attachments(ctx, "v")
	check([]VolumeGroup{{UUID: "vg", Address: "scsi.1"}}, attachments.Groups, err)
}
