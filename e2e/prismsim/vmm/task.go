package vmm

import (
	"net/http"
	"slices"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

// checkRequestID returns an error if a change request has no request ID.
func checkRequestID(r *v4.Request) error {
	if inventory.IsUUID(r.Header.Get(v4.RequestIDHeader)) {
		return nil
	}
	return &v4.Error{
		Status: http.StatusBadRequest, Code: "VMM-30302", Group: "VM_MISSING_REQUEST_ID_HEADER",
		Message: "NTNX-Request-Id header with a UUID is required but was not passed.",
	}
}

// changedVM returns the VM with the ID in the path of a change request. It returns an error if the request has no
// request ID or an outdated ETag. The ETag of a device is the ETag of its VM.
func (api *API) changedVM(r *v4.Request) (*model.VM, error) {
	if err := checkRequestID(r); err != nil {
		return nil, err
	}
	m, err := api.vm(r)
	if err != nil {
		return nil, err
	}
	return m, r.IfMatch(m.V4.Revision, true, func(sent, current string) *v4.Error {
		return &v4.Error{
			Status: http.StatusPreconditionFailed, Code: "VMM-30303", Group: "VM_ETAG_MISMATCH",
			Message: "Failed to perform the operation on the VM with UUID '" + m.UUID + "', because " + v4.MismatchText(sent, current) + ".",
		}
	})
}

// vmTask describes a task that changes an existing VM.
type vmTask struct {
	operation, description string
	duration               time.Duration
	device                 model.TaskEntity // changed device of the VM; its UUID is empty if there is none
	work                   func(*model.Task) *model.TaskError
}

// order starts a task that changes a VM. The task starts when all earlier tasks of the VM have ended. It fails if the VM
// no longer exists.
func (api *API) order(r *v4.Request, m *model.VM, task vmTask) *v4.Response {
	entities := []model.TaskEntity{{UUID: m.UUID, Rel: model.RelVM, Name: m.Live.Name}}
	if task.device.UUID != "" {
		entities = append(entities, task.device)
	}
	t := api.Order(r.Context(), r.Namespace, model.Order{
		Operation: task.operation, Description: task.description, Duration: task.duration, Queue: &m.Queue,
		PrismElements: []string{m.PrismElement.UUID}, Entities: entities,
		Work: func(t *model.Task) *model.TaskError {
			if !slices.Contains(api.VMs.All, m) {
				return v4.NoSuchVM(m.UUID).Fails()
			}
			if failed := api.UnreachableError(m); failed != nil {
				return inV4(failed)
			}
			return inV4(task.work(t))
		},
	})
	m.Tasks = append(m.Tasks, t.UUID)
	return v4.Accepted(t)
}

// inV4 adds the message of the v4 API to the error of a task that has none.
func inV4(failed *model.TaskError) *model.TaskError {
	switch {
	case failed == nil || failed.V4 != nil:
	case failed.Code == "INVALID_ARGUMENT":
		failed.V4 = &model.TaskMessage{Code: codeInvalidArgument, Group: groupInvalidArgument, Message: failed.Detail}
	default:
		failed.V4 = &model.TaskMessage{Code: "VMM-10000", Group: "INTERNAL_ERROR", Message: failed.Detail}
	}
	return failed
}

const (
	codeInvalidArgument  = "VMM-30102"
	groupInvalidArgument = "VM_INVALID_ARGUMENT"
)

// invalidArgument returns the error for a property of a VM with an invalid value. vm is the UUID of the VM, or empty for
// a VM that does not exist yet. The message is the message of a real task (terraform-provider-nutanix issue 1214).
func invalidArgument(vm, key, value string) *v4.Error {
	if vm == "" {
		vm = "EMPTY"
	}
	return &v4.Error{
		Status: http.StatusUnprocessableEntity, Code: codeInvalidArgument, Group: groupInvalidArgument,
		Message:   "Failed to perform the operation on the VM with UUID '" + vm + "', due to an invalid argument with key '" + key + "' and value '" + value + "'.",
		Arguments: map[string]string{"vm_uuid": vm, "argument_name": key, "argument_value": value},
	}
}

// volumeGroupAttached returns the error response to the deletion of a VM with an attached volume group. This package
// defines the status and the code.
func volumeGroupAttached(text string) *v4.Error {
	return &v4.Error{Status: http.StatusUnprocessableEntity, Code: "VMM-30900", Group: groupInvalidArgument, Message: text}
}

// invalidState returns the error for an operation that the power state of a VM does not allow. This package defines the
// status, the code and the group.
func invalidState(text string) *v4.Error {
	return &v4.Error{Status: http.StatusUnprocessableEntity, Code: "VMM-30901", Group: "VM_INVALID_STATE", Message: text}
}
