package prism

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// VMList is the result of reading the list of all VMs.
type VMList struct {
	// VMs contains all VMs that the account can see, sorted by UUID and without duplicates.
	VMs []VM
	// Complete is true if the list did not change while its pages were read, and if its length equals the number of VMs that Prism Central
	// reported. If Complete is false, a VM that is missing in the list may exist.
	Complete bool
}

// AllVMs reads all pages of the list of VMs. It does not rely on total_matches, which is only eventually consistent, and it does not
// cache the list. A VM that was just created may be missing even if the list is complete.
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

// vmList returns the list of the VMs on all pages. totals contains the number of VMs that Prism Central reported with each page.
func vmList(listed []intent[vmResources], totals []int) VMList {
	vms := vmsOf(listed, func(intent[vmResources]) bool { return true })
	agreed := !slices.ContainsFunc(totals, func(total int) bool { return total != len(listed) })
	return VMList{VMs: vms, Complete: agreed && len(vms) == len(listed)}
}

// Find returns the VM with the UUID uuid, or nil if the list does not contain it.
func (l VMList) Find(uuid string) *VM {
	for i := range l.VMs {
		if l.VMs[i].UUID == strings.ToLower(uuid) {
			return &l.VMs[i]
		}
	}
	return nil
}
