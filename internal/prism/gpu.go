package prism

import (
	"context"
	"fmt"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Modes of GPUs in the v3 API.
const (
	GPUPassthroughGraphics = "PASSTHROUGH_GRAPHICS"
	GPUPassthroughCompute  = "PASSTHROUGH_COMPUTE"
	GPUVirtual             = "VIRTUAL"
)

// KindGPU is the name of the kind GPU in errors.
const KindGPU = "GPU"

// GPU describes one GPU of a VM.
type GPU struct {
	Name, Vendor string
	// Mode is GPUPassthroughGraphics, GPUPassthroughCompute or GPUVirtual.
	Mode     string
	DeviceID int64
}

// host is a host with its GPUs. prismElement is the UUID of its Prism Element.
type host struct {
	Entity
	prismElement string
	gpus         []hostGPU
}

// hostGPU is a GPU of a host. free is true if the GPU can be assigned to a VM.
type hostGPU struct {
	GPU
	free bool
}

// gpuRequest is a request for one GPU, by name or by device ID. name is empty if the request contains a device ID.
type gpuRequest struct {
	name     string
	deviceID int64
}

func (r gpuRequest) matches(gpu hostGPU) bool {
	if r.name != "" {
		return gpu.Name == r.name
	}
	return gpu.DeviceID == r.deviceID
}

func (r gpuRequest) String() string {
	if r.name != "" {
		return fmt.Sprintf("name %q", r.name)
	}
	return fmt.Sprintf("deviceID %d", r.deviceID)
}

// GPUs finds GPUs for a new VM on a Prism Element, in the order of requests. One host must have free GPUs for all requests. (The v4 API does
// not return the hosts of GPUs, so there the Prism Element must have them.) Two equal requests require two GPUs. GPUs returns a *NotFoundError if no host has a requested GPU, and an *UnavailableError if no host has enough
// free GPUs.
func (c *Client) GPUs(ctx context.Context, requests []infrav1.NutanixGPU, prismElementUUID string) ([]GPU, error) {
	return c.findGPUs(ctx, requests, prismElementUUID, func(gpu hostGPU) bool { return gpu.free })
}

// GPUModels finds the GPUs of an existing VM. Unlike GPUs, it also returns GPUs that are in use, because the VM itself may use them.
func (c *Client) GPUModels(ctx context.Context, requests []infrav1.NutanixGPU, prismElementUUID string) ([]GPU, error) {
	return c.findGPUs(ctx, requests, prismElementUUID, func(hostGPU) bool { return true })
}

func (c *Client) findGPUs(ctx context.Context, requests []infrav1.NutanixGPU, prismElementUUID string, usable func(hostGPU) bool) ([]GPU, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	wanted := make([]gpuRequest, 0, len(requests))
	for i, request := range requests {
		checked, err := checkGPU(request, i)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, checked)
	}
	return find(ctx, c, c.api.hosts(prismElementUUID), func(hosts []host) ([]GPU, error) {
		var inventory [][]hostGPU
		for _, host := range distinct(hosts, func(host host) bool { return strings.EqualFold(host.prismElement, prismElementUUID) }) {
			inventory = append(inventory, host.gpus)
		}
		return placeGPUs(wanted, inventory, prismElementUUID, usable)
	})
}

func checkGPU(request infrav1.NutanixGPU, index int) (gpuRequest, error) {
	switch {
	case request.Type == infrav1.NutanixGPUIdentifierName && request.Name != nil && *request.Name != "":
		return gpuRequest{name: *request.Name}, nil
	case request.Type == infrav1.NutanixGPUIdentifierDeviceID && request.DeviceID != nil:
		return gpuRequest{deviceID: *request.DeviceID}, nil
	}
	return gpuRequest{}, &InvalidError{Field: fmt.Sprintf("gpus[%d]", index), Reason: `type must be "name" or "deviceID", and the field of that name must be set`}
}

// placeGPUs returns GPUs for all requests, all from the same host. hosts contains the GPUs of each host.
func placeGPUs(wanted []gpuRequest, hosts [][]hostGPU, prismElementUUID string, usable func(hostGPU) bool) ([]GPU, error) {
	var lacking gpuRequest
	most := -1
	for _, host := range hosts {
		found, missing := takeGPUs(wanted, host, usable)
		if len(found) == len(wanted) {
			return found, nil
		}
		if len(found) > most {
			most, lacking = len(found), missing
		}
	}
	for _, request := range wanted {
		if !exists(request, hosts) {
			return nil, &NotFoundError{Kind: KindGPU + " of Prism Element " + prismElementUUID, Identifier: request.String()}
		}
	}
	return nil, &UnavailableError{
		GPU:          lacking.String(),
		PrismElement: prismElementUUID,
		Want:         countRequests(wanted, lacking),
		Free:         mostFree(lacking, hosts),
	}
}

// takeGPUs returns a usable GPU of the host for each request in wanted. If there is none for a request, it returns that request in
// missing.
func takeGPUs(wanted []gpuRequest, host []hostGPU, usable func(hostGPU) bool) (found []GPU, missing gpuRequest) {
	taken := make([]bool, len(host))
	for _, request := range wanted {
		at := -1
		for i, gpu := range host {
			if !taken[i] && usable(gpu) && request.matches(gpu) {
				at = i
				break
			}
		}
		if at < 0 {
			return found, request
		}
		taken[at] = true
		found = append(found, host[at].GPU)
	}
	return found, gpuRequest{}
}

func exists(request gpuRequest, hosts [][]hostGPU) bool {
	for _, host := range hosts {
		for _, gpu := range host {
			if request.matches(gpu) {
				return true
			}
		}
	}
	return false
}

func countRequests(wanted []gpuRequest, request gpuRequest) int {
	count := 0
	for _, other := range wanted {
		if other == request {
			count++
		}
	}
	return count
}

func mostFree(request gpuRequest, hosts [][]hostGPU) int {
	most := 0
	for _, host := range hosts {
		free := 0
		for _, gpu := range host {
			if gpu.free && request.matches(gpu) {
				free++
			}
		}
		most = max(most, free)
	}
	return most
}
