package v3

import (
	"net/http"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (api *API) createVM(r *http.Request) (int, any, error) {
	var body wire.VMIntent
	if err := wire.Decode(r, "vm", &body); err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	if err := api.CheckIntent(&body, nil); err != nil {
		return 0, nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	m := api.NewVM(&body, now)
	wantOn := m.Spec.Resources.PowerState == wire.PowerOn
	d := api.Latency.Create
	if wantOn {
		d += api.Latency.PowerOn
	}
	m.Pending++
	t := api.StartTask(r.Context(), m, "create_vm_intentful", d, func() *model.TaskError { return api.FinishCreate(m) })
	return http.StatusAccepted, wire.Marshal(acceptedBody(m, t)), nil
}

func (api *API) getVM(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, wire.Marshal(vmBody(m, api.Central)), nil
}

// vm returns the VM in the path of a request. The caller must hold the mutex.
func (api *API) vm(r *http.Request) (*model.VM, error) {
	id := r.PathValue("uuid")
	if !inventory.IsUUID(id) {
		return nil, wire.Unprocessable("vm", "%q is not a valid UUID.", id)
	}
	m := api.VMByUUID(id)
	if m == nil {
		return nil, wire.NotFound("vm", "The VM "+id)
	}
	switch status := api.Unreachable(m); status {
	case 0:
		return m, nil
	case http.StatusNotFound:
		return nil, wire.NotFound("vm", "The VM "+id)
	default:
		return nil, wire.ErrorWith(status)
	}
}

func (api *API) updateVM(r *http.Request) (int, any, error) {
	var body wire.VMIntent
	if err := wire.Decode(r, "vm", &body); err != nil {
		return 0, nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	if err := api.CheckIntent(&body, m); err != nil {
		return 0, nil, err
	}
	if err := m.CheckUpdate(&body); err != nil {
		return 0, nil, err
	}
	if err := api.RefuseUpdate(m, &body); err != nil {
		return 0, nil, err
	}
	offAgain := m.SwitchedOffAgain(api.Central, &body)
	if text := api.RefusePowerOff(m, model.RefusedByRequest); offAgain && text != "" {
		return 0, nil, wire.Unprocessable("vm", "%s", text)
	}
	m.SetSpec(api.Central, &body)
	m.Version++
	m.State, m.Messages = wire.StatePending, nil
	m.Pending++
	d := api.Latency.Update
	if m.Spec.Resources.PowerState == wire.PowerOn && m.Power != wire.PowerOn {
		d += api.Latency.PowerOn
	}
	spec := m.Spec.Clone()
	t := api.StartTask(r.Context(), m, "update_vm_intentful", d, func() *model.TaskError { return api.FinishUpdate(m, spec, offAgain) })
	return http.StatusAccepted, wire.Marshal(acceptedBody(m, t)), nil
}

func (api *API) deleteVM(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	if text := api.RefuseDelete(m, model.RefusedByRequest); text != "" {
		return 0, nil, wire.Unprocessable("vm", "%s", text)
	}
	m.State = wire.StateDeletePending
	m.Pending++
	t := api.StartTask(r.Context(), m, "delete_vm_intentful", api.Latency.Delete, func() *model.TaskError {
		m.Pending--
		if failed := api.UnreachableError(m); failed != nil {
			m.State = wire.StateComplete
			return failed
		}
		if text := api.RefuseDelete(m, model.RefusedByTask); text != "" {
			m.State = wire.StateComplete
			return &model.TaskError{Code: "INVALID_ARGUMENT", Detail: "INVALID_ARGUMENT: Invalid Argument: 6\n :" + text}
		}
		api.Remove(m)
		return nil
	})
	response := acceptedBody(m, t)
	response.Spec, response.Status.State = "", wire.StateDeletePending
	return http.StatusAccepted, wire.Marshal(response), nil
}

// acceptedBody returns the body of the response to an accepted change.
func acceptedBody(m *model.VM, t *model.Task) wire.Accepted {
	return wire.Accepted{
		APIVersion: wire.APIVersion,
		Metadata:   map[string]any{"kind": "vm", "uuid": m.UUID, "spec_version": m.Version, "use_categories_mapping": false},
		Spec:       m.Spec,
		Status:     wire.VMStatus{State: wire.StatePending, Execution: &wire.ExecutionContext{TaskUUID: t.UUID}},
	}
}
