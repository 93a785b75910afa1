package prismsim

import "strconv"

const hostMemoryMiB = 512 * 1024

// hostRecord describes a host with its GPUs.
func (api *v3API) hostRecord(pe *PrismElement, host *Host) record {
	rec := api.newRecord("host", host.UUID, host.Name, api.started, map[string]string{"cluster_uuid": pe.UUID, "cluster_name": pe.Name})
	rec.body.Spec = map[string]any{"name": host.Name, "resources": map[string]any{}}
	rec.body.Status = map[string]any{
		"name": host.Name, "state": stateComplete, "cluster_reference": api.elementReference(pe),
		"resources": map[string]any{
			"gpu_list": api.hostGPUs(host), "gpu_driver_version": "", "num_cpu_sockets": 2, "num_cpu_cores": 32, "cpu_model": "simulated",
			"cpu_capacity_hz": 2_500_000_000, "memory_capacity_mib": hostMemoryMiB, "host_type": "HYPER_CONVERGED", "monitoring_state": "kNormal",
			"serial_number": host.UUID, "host_nics_id_list": []string{}, "host_disks_reference_list": []any{},
			"hypervisor":    map[string]any{"num_vms": api.load(host), "ip": "127.0.0.1", "hypervisor_full_name": "Nutanix 10.0"},
			"controller_vm": map[string]any{"ip": "127.0.0.1", "oplog_usage": map[string]any{"oplog_disk_pct": 0, "oplog_disk_size": 0}},
			"block":         map[string]any{"block_serial_number": host.UUID, "block_model": "simulated"},
		},
	}
	return rec
}

// containerRecord describes a storage container.
func (api *v3API) containerRecord(pe *PrismElement, sc *StorageContainer) record {
	rec := api.newRecord("storage_container", sc.UUID, sc.Name, api.started, map[string]string{
		"container_name": sc.Name, "cluster": pe.UUID, "cluster_uuid": pe.UUID, "cluster_name": pe.Name, "container_uuid": sc.UUID,
		"_entity_id_": sc.UUID, "replication_factor": strconv.Itoa(2),
	})
	rec.body.Spec = map[string]any{"name": sc.Name, "resources": map[string]any{}}
	rec.body.Status = map[string]any{
		"name": sc.Name, "state": stateComplete, "cluster_reference": api.elementReference(pe), "resources": map[string]any{"replication_factor": 2},
	}
	return rec
}
