package prism

import (
	"context"
	"fmt"
	"strings"
)

// VolumeGroup is a volume group that is attached to a VM.
type VolumeGroup struct {
	// UUID is the UUID of the volume group. Name is its name. It is empty if the response with the VM does not contain the name.
	UUID, Name string
	// Address is the address of the volume group in the VM, for example scsi.1. It may be empty.
	Address string
}

// String returns the name, the UUID and the address of the volume group for messages.
func (g VolumeGroup) String() string {
	text := g.UUID
	if g.Name != "" {
		text = fmt.Sprintf("%s (%s)", g.Name, g.UUID)
	}
	if g.Address != "" {
		text += " at " + g.Address
	}
	return text
}

// Attachments contains the volume groups of a VM and the data that is needed to detach them.
type Attachments struct {
	Groups []VolumeGroup
	// Description is the description of the VM.
	Description string
	vm          string
	// body is the VM as returned by Prism Central. It is set only for the v3 API.
	body map[string]any
}

// Attachments returns the volume groups that are attached to the VM vmUUID, or a *NotFoundError if the VM does not exist.
func (c *Client) Attachments(ctx context.Context, vmUUID string) (*Attachments, error) {
	if vmUUID == "" {
		return nil, &InvalidError{Field: "vmUUID", Reason: "it is empty"}
	}
	attachments, err := c.api.attachments(ctx, strings.ToLower(vmUUID))
	return attachments, notFound(err, KindVM, fmt.Sprintf("uuid %q", vmUUID))
}

// DetachVolumeGroups sends the requests that detach the volume groups of a VM, and returns the UUID of the last task. It does not retry them.
//
// No other function of this package changes anything in Prism Central (docs/adr/0013).
func (c *Client) DetachVolumeGroups(ctx context.Context, attachments *Attachments) (task string, err error) {
	return c.api.detach(ctx, attachments)
}
