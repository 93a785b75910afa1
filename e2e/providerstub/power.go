package main

import (
	"fmt"
	"log"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/resource"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// Power states.
const (
	on  = "ON"
	off = "OFF"
)

const (
	powerAttempts = 10
	powerPause    = 5 * time.Second
)

// switchPower switches the VM on or off. It tries ten times, whatever the error is, and reads the VM before each attempt.
func (r *vmRun) switchPower(state string) diag.Diagnostics {
	verb := map[string]string{on: "on", off: "off"}[state]
	var task *string
	for attempt := 1; ; attempt++ {
		read, err := r.get()
		if err != nil {
			return diag.Errorf("error while reading vm : %v", err)
		}
		if powerState(read) == state {
			return nil
		}
		if task, err = r.requestPower(state); err != nil {
			err = fmt.Errorf("error while powering %s Virtual Machine after %d attempts: %w", verb, powerAttempts, err)
		} else if err = r.wait(r.ctx, task); err == nil {
			_, _ = r.get() // the provider only logs the power state
			return nil
		} else {
			err = fmt.Errorf("error waiting for virtual machine (%s) to power %s after %d attempts: %w", valueOf(task), verb, powerAttempts, err)
		}
		if attempt == powerAttempts {
			return diag.FromErr(err)
		}
		select {
		case <-r.ctx.Done():
			return diag.FromErr(r.ctx.Err())
		case <-time.After(powerPause):
		}
	}
}

// requestPower reads the VM once more for its ETag and sends one request. It returns the task.
func (r *vmRun) requestPower(state string) (*string, error) {
	read, err := r.get()
	if err != nil {
		return nil, fmt.Errorf("error while fetching vm : %w", err)
	}
	if state == on {
		answer, err := r.vms.PowerOnVm(r.id(), r.ifMatch(read))
		if err != nil {
			return nil, fmt.Errorf("error powering on VM: %w", err)
		}
		return taskOf(answer), nil
	}
	answer, err := r.vms.PowerOffVm(r.id(), r.ifMatch(read))
	if err != nil {
		return nil, fmt.Errorf("error powering off VM: %w", err)
	}
	return taskOf(answer), nil
}

// How long a create waits for an address.
const (
	addressTimeout = 5 * time.Minute
	addressDelay   = 5 * time.Second
)

// waitForAddress waits until the VM has an IPv4 address. A VM without one is not an error.
func (r *vmRun) waitForAddress() {
	change := resource.StateChangeConf{
		Pending: []string{"WAITING"}, Target: []string{"AVAILABLE"},
		Timeout: addressTimeout, Delay: addressDelay, MinTimeout: addressDelay,
		Refresh: func() (any, string, error) {
			read, err := r.get()
			if err != nil {
				return nil, "", err
			}
			for _, nic := range read.GetData().(config.Vm).Nics {
				if address(nic) != "" {
					return nic, "AVAILABLE", nil
				}
			}
			return read, "WAITING", nil
		},
	}
	if _, err := change.WaitForStateContext(r.ctx); err != nil {
		log.Printf("[WARN] VM %s has no address: %v", r.d.Id(), err)
	}
}

// address returns an IPv4 address of a NIC, or "". The provider looks only at the old form of the network information.
func address(nic config.Nic) string {
	if nic.NetworkInfo == nil {
		return ""
	}
	if info := nic.NetworkInfo.Ipv4Info; info != nil {
		for _, learned := range info.LearnedIpAddresses {
			if learned.Value != nil {
				return *learned.Value
			}
		}
	}
	if settings := nic.NetworkInfo.Ipv4Config; settings != nil && settings.IpAddress != nil {
		return valueOf(settings.IpAddress.Value)
	}
	return ""
}
