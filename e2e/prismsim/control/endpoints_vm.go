package control

import (
	"net/http"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// v4Control adds the endpoints for properties that only the v4 API shows.
func (c *Control) v4Control(handle func(pattern string, e wire.Endpoint)) {
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

// vmControl adds the endpoints that change VMs without an API request.
func (c *Control) vmControl(handle func(pattern string, e wire.Endpoint)) {
	const vm = "/sim/vms/{uuid}"
	handle("POST "+vm+"/power_off", controlVM(c.PowerOff))
	handle("POST "+vm+"/power_on", controlVM(c.PowerOn))
	handle("DELETE "+vm, controlVM(c.DeleteVM))
	handle("PATCH "+vm, controlVMBy(c.ChangeVM))
	handle("POST "+vm+"/failover", func(r *http.Request) (int, any, error) {
		var failover model.Failover
		if err := readControl(r, &failover); err != nil {
			return 0, nil, err
		}
		id, err := c.FailOverVM(r.PathValue("uuid"), failover)
		if err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusOK, map[string]string{"uuid": id}, nil
	})
}

// volumeGroupControl adds the endpoints that manage volume groups.
func (c *Control) volumeGroupControl(handle func(pattern string, e wire.Endpoint)) {
	handle("POST /sim/volume-groups", func(r *http.Request) (int, any, error) {
		var group model.VolumeGroupView
		if err := readControl(r, &group); err != nil {
			return 0, nil, err
		}
		id, err := c.AddVolumeGroup(group)
		if err != nil {
			return 0, nil, badControl(err)
		}
		return http.StatusCreated, map[string]string{"uuid": id}, nil
	})
	const attachment = "/sim/volume-groups/{group}/vms/{uuid}"
	change := func(change func(groupUUID, vmUUID string) error) wire.Endpoint {
		return func(r *http.Request) (int, any, error) {
			return controlVM(func(vmUUID string) error { return change(r.PathValue("group"), vmUUID) })(r)
		}
	}
	handle("PUT "+attachment, change(c.AttachVolumeGroup))
	handle("DELETE "+attachment, change(c.DetachVolumeGroup))
}

// controlVM returns an endpoint that changes a VM and needs no body.
func controlVM(change func(vmUUID string) error) wire.Endpoint {
	return func(r *http.Request) (int, any, error) {
		if err := change(r.PathValue("uuid")); err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusNoContent, nil, nil
	}
}

// controlVMBy returns an endpoint that changes a VM as the body of type T describes.
func controlVMBy[T any](change func(vmUUID string, body T) error) wire.Endpoint {
	return func(r *http.Request) (int, any, error) {
		var body T
		if err := readControl(r, &body); err != nil {
			return 0, nil, err
		}
		if err := change(r.PathValue("uuid"), body); err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusNoContent, nil, nil
	}
}
