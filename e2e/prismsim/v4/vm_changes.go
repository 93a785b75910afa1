package v4

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const maxAttribute = 200 // maximum length of a custom attribute in characters

// changedVM returns the VM with the ID in the path of a change request. It returns an error if the request has no
// request ID or an outdated ETag.
func (api *API) changedVM(r *Request) (*model.VM, error) {
	if !inventory.IsUUID(r.Header.Get(requestIDHeader)) {
		return nil, &Error{
			Status: http.StatusBadRequest, Code: "VMM-30302", Group: "VM_MISSING_REQUEST_ID_HEADER",
			Message: "NTNX-Request-Id header with a UUID is required but was not passed.",
		}
	}
	m, err := api.vm(r)
	if err != nil {
		return nil, err
	}
	return m, r.IfMatch(m.V4.Revision, true, func(sent, current string) *Error {
		return &Error{
			Status: http.StatusPreconditionFailed, Code: "VMM-30303", Group: "VM_ETAG_MISMATCH",
			Message: "Failed to perform the operation on the VM with UUID '" + m.UUID + "', because " + MismatchText(sent, current) + ".",
		}
	})
}

// orderForVM starts a task that changes a VM. The task starts when all earlier tasks of the VM have ended. It fails if
// the VM no longer exists.
func (api *API) orderForVM(r *Request, m *model.VM, operation, description string, d time.Duration, work func() *model.TaskError) *Response {
	id := m.UUID
	t := api.Order(r.Context(), r.Namespace, model.Order{
		Operation: operation, Description: description, Duration: d, Queue: &m.Queue, PrismElements: []string{m.PrismElement.UUID},
		Entities: []model.TaskEntity{{UUID: id, Rel: model.RelVM, Name: m.Live.Name}},
		Work: func(*model.Task) *model.TaskError {
			if !slices.Contains(api.VMs.All, m) {
				return noSuchVM(id).Fails()
			}
			if failed := api.UnreachableError(m); failed != nil {
				failed.V4 = &model.TaskMessage{Code: "VMM-10000", Group: "INTERNAL_ERROR", Message: failed.Detail}
				return failed
			}
			return work()
		},
	})
	m.Tasks = append(m.Tasks, t.UUID)
	return Accepted(t)
}

func (api *API) deleteVM(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	if text := api.RefuseDelete(m, model.RefusedByRequest); text != "" {
		return nil, volumeGroupAttached(text)
	}
	return api.orderForVM(r, m, "kVmDelete", "Delete VM", api.Latency.Delete, func() *model.TaskError {
		if text := api.RefuseDelete(m, model.RefusedByTask); text != "" {
			return volumeGroupAttached(text).Fails()
		}
		api.Remove(m)
		return nil
	}), nil
}

// volumeGroupAttached returns the error response to the deletion of a VM with an attached volume group. This package
// defines the status, the code and the group.
func volumeGroupAttached(text string) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: "VMM-30900", Group: "VM_INVALID_ARGUMENT", Message: text}
}

// invalidVMState returns the error response to switching off a VM that is already off. This package defines the status,
// the code and the group.
func invalidVMState(text string) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: "VMM-30901", Group: "VM_INVALID_STATE", Message: text}
}

// switchPower returns the endpoint that switches a VM on or off.
func (api *API) switchPower(state string) Endpoint {
	return func(r *Request) (*Response, error) {
		api.Mu.Lock()
		defer api.Mu.Unlock()
		m, err := api.changedVM(r)
		if err != nil {
			return nil, err
		}
		if state == wire.PowerOff {
			if text := api.RefusePowerOff(m, model.RefusedByRequest); text != "" {
				return nil, invalidVMState(text)
			}
		}
		d := api.Latency.Update
		if state == wire.PowerOn {
			d = api.Latency.PowerOn
		}
		return api.orderForVM(r, m, "kVmSetPowerState", "Change power state of VM", d, func() *model.TaskError {
			if state == wire.PowerOff {
				if text := api.RefusePowerOff(m, model.RefusedByTask); text != "" {
					return invalidVMState(text).Fails()
				}
				api.SwitchOff(m)
			} else if failed := api.SwitchOn(m); failed != nil {
				failed.V4 = &model.TaskMessage{Code: "VMM-10000", Group: "INTERNAL_ERROR", Message: failed.Detail}
				return failed
			}
			m.Spec.Resources.PowerState, m.Live.Resources.PowerState = state, state
			return nil
		}), nil
	}
}

// changeAttributes returns the endpoint that adds or removes custom attributes.
func (api *API) changeAttributes(change func(have, named []string) []string) Endpoint {
	return func(r *Request) (*Response, error) {
		body := config.NewUpdateCustomAttributesParams()
		if err := r.Decode(body); err != nil {
			return nil, err
		}
		for _, attribute := range body.CustomAttributes {
			if key, _, has := strings.Cut(attribute, ":"); !has || key == "" || len(attribute) > maxAttribute {
				return nil, InvalidBody("customAttributes", "%q is not of the form key:value", attribute)
			}
		}
		if len(body.CustomAttributes) == 0 {
			return nil, InvalidBody("customAttributes", "Array is too short: must have at least 1 elements but instance has 0 elements")
		}
		api.Mu.Lock()
		defer api.Mu.Unlock()
		m, err := api.changedVM(r)
		if err != nil {
			return nil, err
		}
		return api.orderForVM(r, m, "kVmUpdate", "Update custom attributes of VM", api.Latency.Update, func() *model.TaskError {
			m.V4.Attributes = change(slices.Clone(m.V4.Attributes), body.CustomAttributes)
			m.V4.Revision++
			return nil
		}), nil
	}
}
