package controllertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// CreateFault is what happens to requests that create virtual machines.
type CreateFault string

// The faults.
const (
	// CreatesSucceed is none.
	CreatesSucceed CreateFault = ""
	// CreatesLost makes nothing and does not respond.
	CreatesLost CreateFault = "lost"
	// CreateRepliesLost makes the virtual machine and does not respond.
	CreateRepliesLost CreateFault = "reply lost"
	// CreatesFail accepts the request, and its task fails.
	CreatesFail CreateFault = "fails"
	// CreatesRefused refuses the request.
	CreatesRefused CreateFault = "refused"
)

// vmChanges is how Prism makes virtual machines.
type vmChanges struct {
	made  int
	fault CreateFault
	// tasks are the statuses of tasks by UUID.
	tasks map[string]string
	// lags says that lists do not show virtual machines that are made now, and unlisted are those.
	lags     bool
	unlisted map[string]bool
}

func newVMChanges() vmChanges {
	return vmChanges{tasks: map[string]string{}, unlisted: map[string]bool{}}
}

// FailCreates sets what happens to creates from now on.
func (p *Prism) FailCreates(fault CreateFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.fault = fault
}

// Lag lets lists show no virtual machine that is made from now on, or, with lags false, all of them.
func (p *Prism) Lag(lags bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.lags = lags
	if !lags {
		p.changes.unlisted = map[string]bool{}
	}
}

// create makes a virtual machine with an address of its own, unless the request says which addresses it has.
func (p *Prism) create(w http.ResponseWriter, body io.Reader) {
	var vm VM
	_ = json.NewDecoder(body).Decode(&vm) // the double of Terraform sends what is made
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
		vm.Addresses = []string{fmt.Sprintf("10.0.0.%d", p.changes.made)}
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
	reply(w, thing{"metadata": thing{"uuid": vm.UUID}, "status": thing{"state": "PENDING", "execution_context": thing{"task_uuid": task}}})
}

// delete deletes a virtual machine, unless it has volume groups.
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
	reply(w, thing{"status": thing{"state": "DELETE_PENDING", "execution_context": thing{"task_uuid": UUID(9, 0)}}})
}
