package prism

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// KindVM is the name of the kind VM in errors.
const KindVM = "VM"

// VM contains the fields of a virtual machine that the controllers need.
type VM struct {
	UUID, Name, Description string
	// PowerState is ON, OFF, PAUSED or SUSPENDED, or empty if it is unknown. State is COMPLETE, PENDING, ERROR, DELETE_PENDING or another
	// intermediate state. Through the v4 API it is always COMPLETE, because a failed creation leaves no VM there.
	PowerState, State string
	// Categories maps each key to one of its values. The v3 API can leave out keys with several values.
	Categories map[string]string
	// CategoryValues maps each key to all of its values, sorted. A VM can have several values for one key.
	CategoryValues map[string][]string
	// AllCategories are the categories with their UUIDs, sorted by UUID. The key and the value of a category that the account cannot see are
	// empty. The v3 API has no UUIDs, so AllCategories is empty with it.
	AllCategories []Category
	// Addresses are the IP addresses in the order of the network interfaces, without duplicates.
	Addresses []string
	// PrismElement is the UUID of the Prism Element that runs the VM.
	PrismElement string
	// Digest is the SHA-256 of everything in the VM that Terraform manages, in hex: its spec, its resources, its categories and its state. It
	// changes if one of these changes, and the list of VMs and the VM itself result in the same digest.
	Digest string
}

func (v VM) uuid() string { return v.UUID }

// VM returns the VM with the UUID uuid, or a *NotFoundError.
func (c *Client) VM(ctx context.Context, uuid string) (*VM, error) {
	if uuid == "" {
		return nil, &InvalidError{Field: "vmUUID", Reason: "it is empty"}
	}
	vm, err := c.api.vm(ctx, strings.ToLower(uuid))
	return vm, notFound(err, KindVM, fmt.Sprintf("uuid %q", uuid))
}

// VMsOfCategory returns all VMs with the category key and value, sorted by UUID. The result is empty if no VM has them.
func (c *Client) VMsOfCategory(ctx context.Context, key, value string) ([]VM, error) {
	if key == "" || value == "" {
		return nil, &InvalidError{Field: "categories", Reason: "key and value have to be set"}
	}
	return c.api.vmsOfCategory(ctx, key, value)
}

func sortByUUID(vms []VM) []VM {
	slices.SortFunc(vms, func(a, b VM) int { return strings.Compare(a.UUID, b.UUID) })
	return vms
}
