package prism

import (
	"context"
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

// AllVMs reads all pages of the list of VMs and does not cache it. A VM that was just created may be missing even if the list is complete.
func (c *Client) AllVMs(ctx context.Context) (VMList, error) { return c.api.allVMs(ctx) }

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
