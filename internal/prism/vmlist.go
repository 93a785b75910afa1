package prism

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
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

// snapshotTimeout limits the time for reading the list of all VMs for ListedVM.
const snapshotTimeout = 2 * time.Minute

// vmSnapshot is the list of all VMs as it was read last. All machines of a Prism Central share it.
type vmSnapshot struct {
	mu      sync.Mutex
	vms     map[string]VM
	readAt  time.Time // when the read of vms ended
	reading bool
	// calls is the number of calls of ListedVM since since.
	calls int
	since time.Time
}

// ListedVM returns a VM from a list of all VMs that is at most twice as old as interval, or nil if there is no such list or the list does
// not contain the VM. ListedVM does not wait for Prism Central. If the list is older than interval, it is read again in the background,
// unless the list needs more requests than the callers would need to read their VMs one by one.
//
// The list may be stale or incomplete. A listed VM shows only that nothing has changed (see VM.Digest). It does not show whether a VM
// exists or which object it belongs to.
func (c *Client) ListedVM(uuid string, interval time.Duration) *VM {
	s, now := &c.snapshot, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if now.Sub(s.since) > interval {
		if pages := len(s.vms)/pageLength + 1; s.calls >= pages && !s.reading {
			s.reading = true
			go c.readSnapshot()
		}
		s.calls, s.since = 0, now
	}
	if vm, found := s.vms[strings.ToLower(uuid)]; found && now.Sub(s.readAt) <= 2*interval {
		return &vm
	}
	return nil
}

// readSnapshot reads the list of all VMs. If an error occurs, the old list stays until it is too old. Its requests do not count against the
// rate limit. Otherwise the reads of single VMs, which the list replaces, could delay a long list until it is too old.
func (c *Client) readSnapshot() {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	list, err := c.AllVMs(WithoutFailFast(transport.WithoutRateLimit(ctx)))
	s := &c.snapshot
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	if err != nil {
		return
	}
	s.vms, s.readAt = make(map[string]VM, len(list.VMs)), time.Now()
	for _, vm := range list.VMs {
		s.vms[vm.UUID] = vm
	}
}
