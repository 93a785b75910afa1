package prismsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// v4Control adds the control endpoints for what only the v4 API shows.
func (c *control) v4Control(handle func(pattern string, e endpoint)) {
	handle("POST /sim/vms", c.postVMs)
	type target struct{ Host, NIC, Address, State, UUID string }
	vm := func(name string, change func(id string, t target) error) {
		handle("POST /sim/vms/{uuid}/"+name, func(r *http.Request) (int, any, error) {
			var t target
			if err := readControl(r, &t); err != nil {
				return 0, nil, err
			}
			if err := change(r.PathValue("uuid"), t); err != nil {
				return 0, nil, controlError(err)
			}
			return http.StatusNoContent, nil, nil
		})
	}
	vm("migrate", func(id string, t target) error { return c.MigrateVM(id, t.Host) })
	vm("power_state", func(id string, t target) error { return c.ShowPowerState(id, t.State) })
	vm("learn", func(id string, t target) error { return c.LearnAddress(id, t.NIC, t.Address) })
	vm("forget", func(id string, t target) error { return c.ForgetAddress(id, t.NIC, t.Address) })
	vm("secondary", func(id string, t target) error { return c.AddSecondaryAddress(id, t.NIC, t.Address) })
	vm("ext_id", func(id string, t target) error {
		_, err := c.ChangeExtID(id, t.UUID)
		return err
	})
	handle("PUT /sim/vms/{uuid}/custom_attributes", func(r *http.Request) (int, any, error) {
		var attributes []string
		if err := readControl(r, &attributes); err != nil {
			return 0, nil, err
		}
		return http.StatusNoContent, nil, c.SetCustomAttributes(r.PathValue("uuid"), attributes...)
	})
	handle("PUT /sim/clusters/{name}/categories", func(r *http.Request) (int, any, error) {
		var categories map[string][]string
		if err := readControl(r, &categories); err != nil {
			return 0, nil, err
		}
		return http.StatusNoContent, nil, c.SetPrismElementCategories(r.PathValue("name"), categories)
	})
}

// readControl reads the body of a control request strictly.
func readControl(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badControl(fmt.Errorf("reading body: %w", err))
	}
	return nil
}

// controlError keeps refusals as they are and makes everything else a bad request.
func controlError(err error) error {
	var refused *apiError
	if errors.As(err, &refused) {
		return err
	}
	return badControl(err)
}

func (c *control) postVMs(r *http.Request) (int, any, error) {
	var fleet Fleet
	if err := readControl(r, &fleet); err != nil {
		return 0, nil, err
	}
	vms, err := c.AddVMs(fleet)
	if err != nil {
		return 0, nil, controlError(err)
	}
	return http.StatusCreated, vms, nil
}
