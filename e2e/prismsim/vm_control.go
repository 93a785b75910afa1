package prismsim

import "net/http"

// vmControl adds the control endpoints for changes of VMs from outside.
func (c *control) vmControl(handle func(pattern string, e endpoint)) {
	const vm = "/sim/vms/{uuid}"
	handle("POST "+vm+"/power_off", controlVM(c.PowerOff))
	handle("POST "+vm+"/power_on", controlVM(c.PowerOn))
	handle("DELETE "+vm, controlVM(c.DeleteVM))
	handle("PATCH "+vm, controlVMBy(c.ChangeVM))
	handle("POST "+vm+"/failover", func(r *http.Request) (int, any, error) {
		var failover Failover
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

// volumeGroupControl adds the control endpoints of volume groups.
func (c *control) volumeGroupControl(handle func(pattern string, e endpoint)) {
	handle("POST /sim/volume-groups", func(r *http.Request) (int, any, error) {
		var group VolumeGroup
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
	change := func(change func(groupUUID, vmUUID string) error) endpoint {
		return func(r *http.Request) (int, any, error) {
			return controlVM(func(vmUUID string) error { return change(r.PathValue("group"), vmUUID) })(r)
		}
	}
	handle("PUT "+attachment, change(c.AttachVolumeGroup))
	handle("DELETE "+attachment, change(c.DetachVolumeGroup))
}

// controlVM answers a control request without a body.
func controlVM(change func(vmUUID string) error) endpoint {
	return func(r *http.Request) (int, any, error) {
		if err := change(r.PathValue("uuid")); err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusNoContent, nil, nil
	}
}

// controlVMBy answers a control request whose body says what to do.
func controlVMBy[T any](change func(vmUUID string, body T) error) endpoint {
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
