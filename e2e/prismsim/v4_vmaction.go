package prismsim

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

const maxAttribute = 200 // characters of one custom attribute

// v4Change finds the VM that a request changes, with its preconditions: a request ID and the current ETag.
func (api *v4API) v4Change(r *v4Request) (*machine, error) {
	if !isUUID(r.Header.Get(requestIDHeader)) {
		return nil, &v4Error{
			status: http.StatusBadRequest, code: "VMM-30302", group: "VM_MISSING_REQUEST_ID_HEADER",
			message: "NTNX-Request-Id header with a UUID is required but was not passed.",
		}
	}
	m, err := api.v4VM(r)
	if err != nil {
		return nil, err
	}
	return m, r.ifMatch(m.v4.revision, true, func(sent, current string) *v4Error {
		return &v4Error{
			status: http.StatusPreconditionFailed, code: "VMM-30303", group: "VM_ETAG_MISMATCH",
			message: "Failed to perform the operation on the VM with UUID '" + m.uuid + "', because " + mismatchText(sent, current) + ".",
		}
	})
}

// v4Order starts a task on a VM, behind those that wait for it. A VM that is gone by then fails it.
func (api *v4API) v4Order(r *v4Request, m *machine, operation, description string, d time.Duration, work func() *taskError) *v4Answer {
	id := m.uuid
	t := api.order(r.Context(), r.namespace, taskOrder{
		operation: operation, description: description, duration: d, queue: &m.queue, elements: []string{m.element.UUID},
		entities: []TaskEntity{{UUID: id, Rel: relVM, Name: m.live.Name}},
		work: func(*task) *taskError {
			if !slices.Contains(api.vms.all, m) {
				return noSuchVM(id).fails()
			}
			if failed := api.lost(m); failed != nil {
				failed.v4 = &taskMessage{code: "VMM-10000", group: "INTERNAL_ERROR", message: failed.detail}
				return failed
			}
			return work()
		},
	})
	m.tasks = append(m.tasks, t.UUID)
	return taskAnswer(t)
}

func (api *v4API) v4DeleteVM(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	m, err := api.v4Change(r)
	if err != nil {
		return nil, err
	}
	if text := api.refuseDelete(m, RefusedByRequest); text != "" {
		return nil, volumeGroupAttached(text)
	}
	return api.v4Order(r, m, "kVmDelete", "Delete VM", api.latency.Delete, func() *taskError {
		if text := api.refuseDelete(m, RefusedByTask); text != "" {
			return volumeGroupAttached(text).fails()
		}
		api.remove(m)
		return nil
	}), nil
}

// volumeGroupAttached refuses the deletion of a VM. Status, code and group are this package's own.
func volumeGroupAttached(text string) *v4Error {
	return &v4Error{status: http.StatusUnprocessableEntity, code: "VMM-30900", group: "VM_INVALID_ARGUMENT", message: text}
}

// invalidVMState refuses to switch a VM. Status, code and group are this package's own.
func invalidVMState(text string) *v4Error {
	return &v4Error{status: http.StatusUnprocessableEntity, code: "VMM-30901", group: "VM_INVALID_STATE", message: text}
}

// v4Switch switches a VM on or off.
func (api *v4API) v4Switch(state string) v4Endpoint {
	return func(r *v4Request) (*v4Answer, error) {
		api.mu.Lock()
		defer api.mu.Unlock()
		m, err := api.v4Change(r)
		if err != nil {
			return nil, err
		}
		if state == powerOff {
			if text := api.refusePowerOff(m, RefusedByRequest); text != "" {
				return nil, invalidVMState(text)
			}
		}
		d := api.latency.Update
		if state == powerOn {
			d = api.latency.PowerOn
		}
		return api.v4Order(r, m, "kVmSetPowerState", "Change power state of VM", d, func() *taskError {
			if state == powerOff {
				if text := api.refusePowerOff(m, RefusedByTask); text != "" {
					return invalidVMState(text).fails()
				}
				api.switchOff(m)
			} else if failed := api.switchOn(m); failed != nil {
				failed.v4 = &taskMessage{code: "VMM-10000", group: "INTERNAL_ERROR", message: failed.detail}
				return failed
			}
			m.spec.Resources.PowerState, m.live.Resources.PowerState = state, state
			return nil
		}), nil
	}
}

func addAttributes(have, more []string) []string {
	for _, attribute := range more {
		if !slices.Contains(have, attribute) {
			have = append(have, attribute)
		}
	}
	return have
}

func removeAttributes(have, less []string) []string {
	return slices.DeleteFunc(have, func(attribute string) bool { return slices.Contains(less, attribute) })
}

// v4Attributes adds or removes custom attributes.
func (api *v4API) v4Attributes(change func(have, named []string) []string) v4Endpoint {
	return func(r *v4Request) (*v4Answer, error) {
		body := config.NewUpdateCustomAttributesParams()
		if err := r.decode(body); err != nil {
			return nil, err
		}
		for _, attribute := range body.CustomAttributes {
			if key, _, has := strings.Cut(attribute, ":"); !has || key == "" || len(attribute) > maxAttribute {
				return nil, invalidBody("customAttributes", "%q is not of the form key:value", attribute)
			}
		}
		if len(body.CustomAttributes) == 0 {
			return nil, invalidBody("customAttributes", "Array is too short: must have at least 1 elements but instance has 0 elements")
		}
		api.mu.Lock()
		defer api.mu.Unlock()
		m, err := api.v4Change(r)
		if err != nil {
			return nil, err
		}
		return api.v4Order(r, m, "kVmUpdate", "Update custom attributes of VM", api.latency.Update, func() *taskError {
			m.v4.attributes = change(slices.Clone(m.v4.attributes), body.CustomAttributes)
			m.v4.revision++
			return nil
		}), nil
	}
}
