package prism

import (
	"context"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
)

// v4GPUProfile is a profile of physical or virtual GPUs of a Prism Element.
type v4GPUProfile struct {
	v4Entity
	Physical    *v4GPUConfig `json:"physicalGpuConfig"`
	Virtual     *v4GPUConfig `json:"virtualGpuConfig"`
	AllocatedTo []string     `json:"allocatedVmExtIds"`
}

type v4GPUConfig struct {
	DeviceName string `json:"deviceName"`
	VendorName string `json:"vendorName"`
	Type       string `json:"type"`
	DeviceID   int64  `json:"deviceId"`
	// Assignable is the number of GPUs that can be assigned to VMs. It is nil if Prism Central does not return it.
	Assignable *int `json:"assignable"`
	IsInUse    bool `json:"isInUse"`
}

// gpus returns the free GPUs of a profile, and those in use.
func (p *v4GPUProfile) gpus() []hostGPU {
	config := p.Physical
	if config == nil {
		config = p.Virtual
	}
	if config == nil {
		return nil
	}
	free := 1
	if config.Assignable != nil {
		free = *config.Assignable
	}
	if config.IsInUse {
		free = 0
	}
	// The name of the vendor is "NVIDIA" or, from some versions, "kNvidia".
	vendor := strings.ToUpper(strings.TrimPrefix(config.VendorName, "k"))
	gpu := GPU{Name: config.DeviceName, Vendor: vendor, Mode: config.Type, DeviceID: config.DeviceID}
	gpus := slices.Repeat([]hostGPU{{gpu, true}}, max(free, 0))
	used := len(p.AllocatedTo)
	if len(gpus) == 0 {
		used = max(used, 1)
	}
	return append(gpus, slices.Repeat([]hostGPU{{gpu, false}}, used)...)
}

// hosts returns one host with all GPUs of the Prism Element, because the v4 API does not return the hosts of GPUs.
func (a apiV4) hosts(prismElementUUID string) lookUp[[]host] {
	profiles := func(kind string) lookUp[[][]hostGPU] {
		path := "/config/clusters/" + prismElementUUID + "/" + kind
		return v4Kind[v4GPUProfile, []hostGPU]{prismv4.ClusterMgmt, path, (*v4GPUProfile).key, (*v4GPUProfile).gpus}.lookUp(a, identifier{})
	}
	physical, virtual := profiles("physical-gpu-profiles"), profiles("virtual-gpu-profiles")
	return lookUp[[]host]{key: physical.key, read: func(ctx context.Context, c *Client) ([]host, error) {
		found, err := physical.read(ctx, c)
		if err != nil {
			return nil, err
		}
		further, err := virtual.read(ctx, c)
		all := slices.Concat(append(found, further...)...)
		return []host{{Entity: Entity{UUID: prismElementUUID}, prismElement: prismElementUUID, gpus: all}}, err
	}}
}
