package vmm

import (
	"cmp"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// addressBody is the address of a disk or a CD-ROM.
type addressBody struct {
	BusType string `json:"busType"`
	Index   *int64 `json:"index"`
}

func (b *addressBody) wire() *wire.DiskAddress {
	if b == nil {
		return nil
	}
	return &wire.DiskAddress{AdapterType: b.BusType, DeviceIndex: b.Index}
}

// diskBody is a disk or a CD-ROM in the body of a request.
type diskBody struct {
	Address *addressBody `json:"diskAddress"`
	Backing *struct {
		SizeBytes     *int64     `json:"diskSizeBytes"`
		Container     *reference `json:"storageContainer"`
		VolumeGroup   string     `json:"volumeGroupExtId"`
		StorageConfig *struct {
			FlashMode bool `json:"isFlashModeEnabled"`
		} `json:"storageConfig"`
		DataSource *struct {
			Reference dataSourceBody `json:"reference"`
		} `json:"dataSource"`
	} `json:"backingInfo"`
}

// dataSourceBody refers to the image of which a disk is a copy. Other sources are not supported: a disk that names one
// is refused like a disk with an image that does not exist.
type dataSourceBody struct {
	Type  string `json:"$objectType"`
	Image string `json:"imageExtId"`
}

func (b diskBody) wire(deviceType string) wire.Disk {
	out := wire.Disk{Properties: &wire.DeviceProperties{DeviceType: deviceType, Address: b.Address.wire()}}
	if b.Backing == nil {
		return out
	}
	if size := b.Backing.SizeBytes; size != nil {
		out.SetBytes(*size)
	}
	if b.Backing.VolumeGroup != "" {
		out.Properties.DeviceType = wire.TypeVolumeGroup
		out.VolumeGroup = (&reference{b.Backing.VolumeGroup}).kind("volume_group")
	}
	if source := b.Backing.DataSource; source != nil {
		out.DataSource = (&reference{cmp.Or(source.Reference.Image, source.Reference.Type)}).kind("image")
	}
	config := wire.StorageConfig{Container: b.Backing.Container.kind("storage_container")}
	if flash := b.Backing.StorageConfig; flash != nil {
		config.FlashMode = map[bool]string{true: "ENABLED", false: "DISABLED"}[flash.FlashMode]
	}
	if config != (wire.StorageConfig{}) {
		out.StorageConfig = &config
	}
	return out
}

// nicBody is a NIC in the body of a request. The properties nicNetworkInfo and nicBackingInfo replace the older
// networkInfo and backingInfo.
type nicBody struct {
	Network    *networkBody `json:"nicNetworkInfo"`
	OldNetwork *networkBody `json:"networkInfo"`
	Backing    *backingBody `json:"nicBackingInfo"`
	OldBacking *backingBody `json:"backingInfo"`
}

type backingBody struct {
	Model       string `json:"model"`
	MACAddress  string `json:"macAddress"`
	IsConnected *bool  `json:"isConnected"`
	NumQueues   *int64 `json:"numQueues"`
}

type networkBody struct {
	NICType      string     `json:"nicType"`
	VLANMode     string     `json:"vlanMode"`
	TrunkedVLANs []int64    `json:"trunkedVlans"`
	Subnet       *reference `json:"subnet"`
	IPv4Config   *struct {
		IPAddress struct {
			Value string `json:"value"`
		} `json:"ipAddress"`
	} `json:"ipv4Config"`
}

func (b nicBody) wire() wire.NIC {
	network, backing := wire.OrZero(cmp.Or(b.Network, b.OldNetwork)), wire.OrZero(cmp.Or(b.Backing, b.OldBacking))
	out := wire.NIC{
		NICType: network.NICType, VLANMode: network.VLANMode, TrunkedVLANs: network.TrunkedVLANs, SubnetReference: network.Subnet.kind("subnet"),
		Model: backing.Model, MACAddress: backing.MACAddress, IsConnected: backing.IsConnected, NumQueues: backing.NumQueues,
	}
	if config := network.IPv4Config; config != nil && config.IPAddress.Value != "" {
		out.IPEndpoints = []wire.IPEndpoint{{IP: config.IPAddress.Value, Type: "ASSIGNED"}}
	}
	return out
}

// gpuBody is a GPU in the body of a request.
type gpuBody struct {
	Vendor   string `json:"vendor"`
	Mode     string `json:"mode"`
	DeviceID *int64 `json:"deviceId"`
}

// wire returns the GPU in the format of v3. Its UUID is the ID of the GPU in this API.
func (b gpuBody) wire() wire.GPU {
	return wire.GPU{UUID: uuid.NewString(), Vendor: b.Vendor, Mode: b.Mode, DeviceID: b.DeviceID}
}

// serialBody is a serial port in the body of a request.
type serialBody struct {
	Index       int64 `json:"index"`
	IsConnected bool  `json:"isConnected"`
}
