package v3

import (
	"strconv"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// hostRecord returns the record of a host of the Prism Element pe.
func (api *API) hostRecord(pe *inventory.PrismElement, host *inventory.Host) record {
	rec := api.newRecord("host", host.UUID, host.Name, api.Started, map[string]string{"cluster_uuid": pe.UUID, "cluster_name": pe.Name})
	rec.body.Spec = map[string]any{"name": host.Name, "resources": map[string]any{}}
	rec.body.Status = map[string]any{
		"name": host.Name, "state": wire.StateComplete, "cluster_reference": api.PrismElementReference(pe),
		"resources": map[string]any{
			"gpu_list": api.hostGPUs(host), "gpu_driver_version": "", "num_cpu_sockets": 2, "num_cpu_cores": 32, "cpu_model": "simulated",
			"cpu_capacity_hz": 2_500_000_000, "memory_capacity_mib": model.HostMemoryMiB, "host_type": "HYPER_CONVERGED", "monitoring_state": "kNormal",
			"serial_number": host.UUID, "host_nics_id_list": []string{}, "host_disks_reference_list": []any{},
			"hypervisor":    map[string]any{"num_vms": api.VMCount(host), "ip": "127.0.0.1", "hypervisor_full_name": "Nutanix 10.0"},
			"controller_vm": map[string]any{"ip": "127.0.0.1", "oplog_usage": map[string]any{"oplog_disk_pct": 0, "oplog_disk_size": 0}},
			"block":         map[string]any{"block_serial_number": host.UUID, "block_model": "simulated"},
		},
	}
	return rec
}

// containerRecord returns the record of a storage container of the Prism Element pe.
func (api *API) containerRecord(pe *inventory.PrismElement, sc *inventory.StorageContainer) record {
	rec := api.newRecord("storage_container", sc.UUID, sc.Name, api.Started, map[string]string{
		"container_name": sc.Name, "cluster": pe.UUID, "cluster_uuid": pe.UUID, "cluster_name": pe.Name, "container_uuid": sc.UUID,
		"_entity_id_": sc.UUID, "replication_factor": strconv.Itoa(2),
	})
	rec.body.Spec = map[string]any{"name": sc.Name, "resources": map[string]any{}}
	rec.body.Status = map[string]any{
		"name": sc.Name, "state": wire.StateComplete, "cluster_reference": api.PrismElementReference(pe), "resources": map[string]any{"replication_factor": 2},
	}
	return rec
}

// hostGPUs returns the gpu_list of a host. The list contains one entry for each physical GPU, or one entry for each
// virtual GPU if a physical GPU is shared.
func (api *API) hostGPUs(host *inventory.Host) []map[string]any {
	devices := api.Devices(host)
	allocated := map[string]int{} // by physical GPU
	for _, d := range devices {
		if d.User != nil {
			allocated[d.PCIAddress]++
		}
	}
	out := []map[string]any{}
	for _, d := range devices {
		entry := map[string]any{
			"uuid": d.UUID, "name": d.Name, "vendor": d.Vendor, "mode": d.Mode, "device_id": d.DeviceID, "pci_address": d.PCIAddress,
			"index": d.Index, "fraction": d.Fraction, "frame_buffer_size_mib": d.FrameBufferMiB, "license_list": []string{},
			"assignable": d.User == nil, "numa_node": 0, "num_vgpus_allocated": 0, "status": "UNUSED",
		}
		switch used := allocated[d.PCIAddress]; {
		case d.Mode == inventory.ModeVirtual && used > 0:
			entry["status"], entry["num_vgpus_allocated"] = "USED_FOR_VIRTUAL", used
		case used > 0:
			entry["status"] = "USED_FOR_PASSTHROUGH"
		}
		if d.User != nil {
			entry["consumer_reference"] = wire.Reference{Kind: "vm", UUID: d.User.UUID, Name: d.User.Live.Name}
		}
		out = append(out, entry)
	}
	return out
}
