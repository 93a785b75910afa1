package prism

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// VMList is what a search over all VMs found.
type VMList struct {
	// VMs are all VMs that the account can see, each once, in the order of their UUIDs.
	VMs []VM
	// Complete says that the list did not change while its pages were read, and that Prism Central counted as many VMs as it
	// listed. Only the absence of a VM from a complete list means anything.
	Complete bool
}

// AllVMs reads the list of all VMs to its end. It does not trust total_matches, which is only eventually consistent, and
// nothing of it is cached. A VM that was created a moment ago may be missing even from a complete list.
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

// vmList makes the list of what the pages had; totals are the counts that they named.
func vmList(listed []intent[vmResources], totals []int) VMList {
	vms := vmsOf(listed, func(intent[vmResources]) bool { return true })
	agreed := !slices.ContainsFunc(totals, func(total int) bool { return total != len(listed) })
	return VMList{VMs: vms, Complete: agreed && len(vms) == len(listed)}
}

// Find returns the VM of a UUID, nil when it is not in the list.
func (l VMList) Find(uuid string) *VM {
	for i := range l.VMs {
		if l.VMs[i].UUID == strings.ToLower(uuid) {
			return &l.VMs[i]
		}
	}
	return nil
}
