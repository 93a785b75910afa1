package controllertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// CreateFault is a fault that Prism simulates for requests that create VMs.
type CreateFault string

// Faults of create requests.
const (
	// CreatesSucceed means that Prism creates VMs without a fault.
	CreatesSucceed CreateFault = ""
	// CreatesLost means that no VM is created and no response is sent.
	CreatesLost CreateFault = "lost"
	// CreateRepliesLost means that the VM is created but no response is sent.
	CreateRepliesLost CreateFault = "reply lost"
	// CreatesFail means that the request is accepted but its task fails.
	CreatesFail CreateFault = "fails"
	// CreatesRefused means that Prism responds with an error and creates no VM.
	CreatesRefused CreateFault = "refused"
)

// vmChanges is the part of Prism that creates VMs.
type vmChanges struct {
	made  int
	fault CreateFault
	// tasks maps the UUIDs of tasks to their status.
	tasks map[string]string
	// lags makes lists omit VMs that are created from now on. unlisted contains the UUIDs of these VMs.
	lags     bool
	unlisted map[string]bool
	// staysOff makes requests to switch on a VM fail.
	staysOff bool
}

func newVMChanges() vmChanges {
	return vmChanges{tasks: map[string]string{}, unlisted: map[string]bool{}}
}

// FailCreates sets the fault of all later create requests.
func (p *Prism) FailCreates(fault CreateFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.fault = fault
}

// Lag makes lists omit VMs that are created from now on. Lag(false) makes lists complete again.
func (p *Prism) Lag(lags bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.lags = lags
	if !lags {
		p.changes.unlisted = map[string]bool{}
	}
}

// create creates a VM. If the request contains no addresses, the VM gets an address that no other VM has.
func (p *Prism) create(w http.ResponseWriter, body io.Reader) {
	var vm VM
	_ = json.NewDecoder(body).Decode(&vm) // the double of Terraform sends valid JSON
	switch p.changes.fault {
	case CreatesLost:
		panic(http.ErrAbortHandler)
	case CreatesRefused:
		refuse(w, http.StatusUnprocessableEntity, "INVALID_REQUEST")
		return
	case CreatesSucceed, CreateRepliesLost, CreatesFail:
	}
	p.changes.made++
	vm.UUID = UUID(6, p.changes.made)
	if vm.Addresses == nil {
		vm.Addresses = []string{fmt.Sprintf("10.%d.%d.%d", p.changes.made>>16, p.changes.made>>8&255, p.changes.made&255)}
	}
	task := UUID(9, p.changes.made)
	p.changes.tasks[task] = "SUCCEEDED"
	if p.changes.fault == CreatesFail {
		p.changes.tasks[task] = "FAILED"
	} else {
		p.vms[vm.UUID] = vm
		p.changes.unlisted[vm.UUID] = p.changes.lags
	}
	if p.changes.fault == CreateRepliesLost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"metadata": jsonObject{"uuid": vm.UUID}, "status": jsonObject{"state": "PENDING", "execution_context": jsonObject{"task_uuid": task}}})
}

// delete deletes a VM unless volume groups are attached to it.
func (p *Prism) delete(w http.ResponseWriter, uuid string) {
	if _, found := p.vms[uuid]; !found || p.hidden["vms"] {
		refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND")
		return
	}
	if len(p.vms[uuid].VolumeGroups) > 0 {
		refuse(w, http.StatusUnprocessableEntity, "INVALID_REQUEST")
		return
	}
	delete(p.vms, uuid)
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"status": jsonObject{"state": "DELETE_PENDING", "execution_context": jsonObject{"task_uuid": UUID(9, 0)}}})
}
