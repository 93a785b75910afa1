package controllertest

import (
	"encoding/json"
	"io"
	"net/http"
)

// detachTask is the UUID of the task of the last update that detaches volume groups.
var detachTask = UUID(10, 1)

// Detaching says how Prism carries out an update that detaches volume groups. Without one it does so at once.
type Detaching struct {
	// Status refuses the request.
	Status int
	// Failure is why the task fails. Running keeps it from ending.
	Failure string
	Running bool
}

// SetDetaching changes how updates are carried out from now on.
func (p *Prism) SetDetaching(detaching Detaching) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detaching = detaching
}

// disks are the disks of a virtual machine: one of its own, and its volume groups.
func (v VM) disks() []thing {
	disks := []thing{{"uuid": "disk", "disk_size_mib": 40960}}
	for _, group := range v.VolumeGroups {
		disks = append(disks, thing{"uuid": "disk-of-" + group, "volume_group_reference": thing{"kind": "volume_group", "uuid": group}})
	}
	return disks
}

// put carries out an update of a virtual machine, of which it knows the volume groups and the power state.
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
	reply(w, thing{"status": thing{"state": "PENDING", "execution_context": thing{"task_uuid": detachTask}}})
}

// task is the task of the last update.
func (p *Prism) task(w http.ResponseWriter) {
	status := "SUCCEEDED"
	switch {
	case p.detaching.Running:
		status = "RUNNING"
	case p.detaching.Failure != "":
		status = "FAILED"
	}
	reply(w, thing{"uuid": detachTask, "status": status, "error_detail": p.detaching.Failure})
}
