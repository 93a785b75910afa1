package vmm

import (
	"slices"
	"strings"

	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const maxAttribute = 200 // maximum length of a custom attribute in characters

func (api *API) deleteVM(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	if text := api.RefuseDelete(m, model.RefusedByRequest); text != "" {
		return nil, volumeGroupAttached(text)
	}
	return api.order(r, m, vmTask{operation: "kVmDelete", description: "Delete VM", duration: api.Latency.Delete, work: func(*model.Task) *model.TaskError {
		if text := api.RefuseDelete(m, model.RefusedByTask); text != "" {
			return volumeGroupAttached(text).Fails()
		}
		api.Remove(m)
		return nil
	}}), nil
}

// switchPower returns the endpoint that switches a VM on or off.
func (api *API) switchPower(state string) v4.Endpoint {
	return func(r *v4.Request) (*v4.Response, error) {
		api.Mu.Lock()
		defer api.Mu.Unlock()
		m, err := api.changedVM(r)
		if err != nil {
			return nil, err
		}
		task := powerTask
		task.duration, task.work = api.Latency.PowerOn, func(*model.Task) *model.TaskError { return api.turnOn(m) }
		if state == wire.PowerOff {
			if text := api.RefusePowerOff(m, model.RefusedByRequest); text != "" {
				return nil, invalidState(text)
			}
			task.duration, task.work = api.Latency.Update, func(*model.Task) *model.TaskError { return api.turnOff(m) }
		}
		return api.order(r, m, task), nil
	}
}

var powerTask = vmTask{operation: "kVmSetPowerState", description: "Change power state of VM"}

// restart switches a VM off and on. A VM that is off cannot be restarted.
func (api *API) restart(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	task := powerTask
	task.duration, task.work = api.Latency.Update+api.Latency.PowerOn, func(*model.Task) *model.TaskError {
		if m.Power != wire.PowerOn {
			return invalidState("VM " + m.UUID + " is not in a state to be restarted: Off.").Fails()
		}
		if failed := api.turnOff(m); failed != nil {
			return failed
		}
		return api.turnOn(m)
	}
	return api.order(r, m, task), nil
}

func (api *API) turnOn(m *model.VM) *model.TaskError {
	if failed := api.SwitchOn(m); failed != nil {
		return failed
	}
	m.SetPowerState(wire.PowerOn)
	return nil
}

func (api *API) turnOff(m *model.VM) *model.TaskError {
	if text := api.RefusePowerOff(m, model.RefusedByTask); text != "" {
		return invalidState(text).Fails()
	}
	api.SwitchOff(m)
	m.SetPowerState(wire.PowerOff)
	return nil
}

// changeCategories returns the endpoint that adds categories to a VM or removes categories from it. A VM that does not
// have a category can lose it.
func (api *API) changeCategories(add bool) v4.Endpoint {
	return func(r *v4.Request) (*v4.Response, error) {
		var body struct {
			Categories []reference `json:"categories"`
		}
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		if len(body.Categories) == 0 {
			return nil, v4.InvalidBody("categories", "Array is too short: must have at least 1 elements but instance has 0 elements")
		}
		api.Mu.Lock()
		defer api.Mu.Unlock()
		m, err := api.changedVM(r)
		if err != nil {
			return nil, err
		}
		if invalid := api.checkCategories(m.UUID, body.Categories); invalid != nil && r.Rules.InvalidReference == model.RefusedByRequest {
			return nil, invalid
		}
		return api.order(r, m, vmTask{operation: "kVmUpdate", description: "Update categories of VM", duration: api.Latency.Update,
			work: func(*model.Task) *model.TaskError {
				if invalid := api.checkCategories(m.UUID, body.Categories); invalid != nil {
					return invalid.Fails()
				}
				api.assign(m, body.Categories, add)
				return nil
			}}), nil
	}
}

func (api *API) assign(m *model.VM, categories []reference, add bool) {
	change := model.RemoveStrings
	if add {
		change = model.AddStrings
	}
	for _, category := range categories {
		key, v := api.CategoryByID(strings.ToLower(category.ExtID))
		m.Categories.Set(key.Name, change(slices.Clone(m.Categories[key.Name]), []string{v.Value}))
	}
	m.Version++
	m.V4.Revision++
}

// changeAttributes returns the endpoint that adds or removes custom attributes.
func (api *API) changeAttributes(change func(have, named []string) []string) v4.Endpoint {
	return func(r *v4.Request) (*v4.Response, error) {
		body := config.NewUpdateCustomAttributesParams()
		if err := r.Decode(body); err != nil {
			return nil, err
		}
		for _, attribute := range body.CustomAttributes {
			if key, _, has := strings.Cut(attribute, ":"); !has || key == "" || len(attribute) > maxAttribute {
				return nil, v4.InvalidBody("customAttributes", "%q is not of the form key:value", attribute)
			}
		}
		if len(body.CustomAttributes) == 0 {
			return nil, v4.InvalidBody("customAttributes", "Array is too short: must have at least 1 elements but instance has 0 elements")
		}
		api.Mu.Lock()
		defer api.Mu.Unlock()
		m, err := api.changedVM(r)
		if err != nil {
			return nil, err
		}
		return api.order(r, m, vmTask{operation: "kVmUpdate", description: "Update custom attributes of VM", duration: api.Latency.Update,
			work: func(*model.Task) *model.TaskError {
				m.V4.Attributes = change(slices.Clone(m.V4.Attributes), body.CustomAttributes)
				m.V4.Revision++
				return nil
			}}), nil
	}
}
