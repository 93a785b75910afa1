package controllertest

import (
	"encoding/json"
	"io"
	"net/http"
)

// detachTask is the task UUID in the response to an update that detaches volume groups.
var detachTask = UUID(10, 1)

// Detaching describes how Prism executes an update that detaches volume groups. By default, the update succeeds
// immediately.
type Detaching struct {
	// Status is the HTTP status of the error response; zero means that Prism accepts the request.
	Status int
	// Failure is the error with which the task fails. If Running is true, the task does not end.
	Failure string
	Running bool
}

// SetDetaching sets how Prism executes later updates that detach volume groups.
func (p *Prism) SetDetaching(detaching Detaching) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detaching = detaching
}

// disks returns the disks of a VM in the format of the v3 API: the disk of the VM itself and one entry for each volume
// group.
func (v VM) disks() []jsonObject {
	disks := []jsonObject{{"uuid": "disk", "disk_size_mib": 40960}}
	for _, group := range v.VolumeGroups {
		disks = append(disks, jsonObject{"uuid": "disk-of-" + group, "volume_group_reference": jsonObject{"kind": "volume_group", "uuid": group}})
	}
	return disks
}

// put executes an update of a VM. It supports volume groups and the power state.
func (p *Prism) put(w http.ResponseWriter, uuid string, body io.Reader) {
	var update struct {
		Spec struct {
			Resources struct {
				PowerState string `json:"power_state"`
				DiskList   []struct {
					VolumeGroup struct{ UUID string } `json:"volume_group_reference"`
				} `json:"disk_list"`
			} `json:"resources"`
		} `json:"spec"`
	}
	vm, found := p.vms[uuid]
	err := json.NewDecoder(body).Decode(&update)
	switch {
	case !found:
		refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND")
		return
	case err != nil:
		refuse(w, http.StatusUnprocessableEntity, "INVALID_REQUEST")
		return
	case p.detaching.Status != 0:
		refuse(w, p.detaching.Status, "REFUSED")
		return
	case p.detaching.Failure == "" && !p.detaching.Running:
		vm.PowerState, vm.VolumeGroups = update.Spec.Resources.PowerState, nil
		for _, disk := range update.Spec.Resources.DiskList {
			if disk.VolumeGroup.UUID != "" {
				vm.VolumeGroups = append(vm.VolumeGroups, disk.VolumeGroup.UUID)
			}
		}
		p.vms[uuid] = vm
	}
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"status": jsonObject{"state": "PENDING", "execution_context": jsonObject{"task_uuid": detachTask}}})
}

// task responds with the task of the last update.
func (p *Prism) task(w http.ResponseWriter) {
	status := "SUCCEEDED"
	switch {
	case p.detaching.Running:
		status = "RUNNING"
	case p.detaching.Failure != "":
		status = "FAILED"
	}
	reply(w, jsonObject{"uuid": detachTask, "status": status, "error_detail": p.detaching.Failure})
}
