package nutanixmachine

import (
	"sync"
	"time"
)

// secondLook is how long a virtual machine has to be missing before it counts as lost, which is final.
const secondLook = 10 * time.Second

// misses remembers since when virtual machines are missing, by UUID. A new process begins anew.
type misses struct{ since sync.Map }

// lasting notes that a virtual machine is missing, and reports whether it was so a while ago.
func (m *misses) lasting(uuid string, now time.Time) bool {
	first, _ := m.since.LoadOrStore(uuid, now)
	return now.Sub(first.(time.Time)) >= secondLook //nolint:forcetypeassert // stored above
}

// forget is for a virtual machine that was found, or that is being deleted.
func (m *misses) forget(uuid string) { m.since.Delete(uuid) }
