package prism

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// VMList is a list of all VMs.
type VMList struct {
	// VMs are all VMs that the account can see, sorted by UUID without duplicates.
	VMs []VM
	// Complete says that the list did not change while its pages were read and that its length equals the count of Prism Central.
	// Only the absence of a VM from a complete list is significant.
	Complete bool
}

// AllVMs reads the list of all VMs to its end. It does not rely on total_matches, which is only eventually consistent, and caches
// nothing. A VM that was just created may be missing even in a complete list.
func (c *Client) AllVMs(ctx context.Context) (VMList, error) {
	var listed []intent[vmResources]
	var totals []int
	for range maxPages {
		var page listResponse[intent[vmResources]]
		request := listRequest{Kind: "vm", Length: pageLength, Offset: len(listed)}
		if err := c.post(ctx, "vms/list", request, &page); err != nil {
			return VMList{}, err
		}
		listed = append(listed, page.Entities...)
		totals = append(totals, page.Metadata.TotalMatches)
		short := len(page.Entities) < pageLength
		if len(page.Entities) == 0 || short && len(listed) >= page.Metadata.TotalMatches {
			return vmList(listed, totals), nil
		}
	}
	return VMList{}, &ResponseError{Address: c.address, Path: "vms/list", Err: fmt.Errorf("the list does not end after %d pages", maxPages)}
}

// vmList returns the list of the VMs on all pages. totals are the counts on the pages.
func vmList(listed []intent[vmResources], totals []int) VMList {
	vms := vmsOf(listed, func(intent[vmResources]) bool { return true })
	agreed := !slices.ContainsFunc(totals, func(total int) bool { return total != len(listed) })
	return VMList{VMs: vms, Complete: agreed && len(vms) == len(listed)}
}

// Find returns the VM with the UUID, or nil if the list does not contain it.
func (l VMList) Find(uuid string) *VM {
	for i := range l.VMs {
		if l.VMs[i].UUID == strings.ToLower(uuid) {
			return &l.VMs[i]
		}
	}
	return nil
}
