package schedule

import (
	"cmp"
	"time"
)

// Lane is the priority of a run. The scheduler starts a run only if no run of an earlier lane may start, with one exception: every
// oldestEvery-th run that it starts is the run that has waited longest, so that no lane can starve.
type Lane int

// Lanes in the order in which their runs start.
const (
	// Delete is the lane of objects that are being deleted.
	Delete Lane = iota
	// Create is the lane of objects whose infrastructure does not exist yet.
	Create
	// Update is the lane of objects whose infrastructure has to be changed.
	Update
	// Check is the lane of objects that are probably in sync.
	Check
)

const (
	// RunMemory is the memory in MiB of a run that does not set Run.Memory.
	RunMemory = 64
	// slotTime is how long a run counts against the slots of other tenants. A plan computes for one or two seconds. If it takes longer, it
	// waits for Prism Central, and another Prism Central must not wait, too.
	slotTime = 3 * time.Second
	// reservedPart is the part of the memory that applies leave free, unless they delete, so that deletions and plans can start while many
	// creates wait for Prism Central.
	reservedPart = 8
	// tenantShare limits the memory of a tenant to tenantShare times the free memory. One tenant alone can use two thirds of the memory,
	// two tenants two fifths each, and so on, so that there is some left for another tenant even if the others wait for a long time.
	tenantShare = 2
	// oldestEvery is the number of starts after which the run that has waited longest is the next one, whatever its lane is.
	oldestEvery = 8
)

// usage is the number of active runs of a tenant.
type usage struct {
	// runs are all active runs, and slots are those that need a slot.
	runs, slots int
	// recent are the runs that need a slot and have started within slotTime.
	recent int
	// memory is the memory of the active runs in MiB.
	memory int
}

// usage returns the usage of each tenant and of all tenants.
func (s *Scheduler) usage() (byTenant map[string]usage, total usage) {
	byTenant = map[string]usage{}
	for _, run := range s.active {
		own := byTenant[run.Tenant]
		for _, u := range []*usage{&own, &total} {
			u.runs++
			u.memory += run.memory()
			if !run.Waits {
				u.slots++
				if time.Since(run.started) < slotTime {
					u.recent++
				}
			}
		}
		byTenant[run.Tenant] = own
	}
	return byTenant, total
}

// next returns the queued run that starts next, or nil if no queued run may start now. The caller holds the mutex.
//
// A run starts only if there is memory for the largest queued run. Otherwise smaller runs could always take the memory before there is enough
// for a larger one.
//
// Of the runs that may start, those of the earliest lane are next. Within a lane, applies are next, because they complete what plans have
// begun. Then the tenant with the fewest active runs is next, and then the run that was submitted first.
func (s *Scheduler) next() *entry {
	byTenant, total := s.usage()
	largest := 0
	for _, run := range s.queue {
		largest = max(largest, run.memory())
	}
	var first *entry
	for _, run := range s.queue {
		own := byTenant[run.Tenant]
		if !s.mayStart(run, own, total, largest) {
			continue
		}
		if s.starts%oldestEvery == oldestEvery-1 {
			return run
		}
		if first == nil || cmp.Or(
			cmp.Compare(run.Lane, first.Lane),
			cmp.Compare(rank(run.Waits), rank(first.Waits)),
			cmp.Compare(own.runs, byTenant[first.Tenant].runs),
		) < 0 {
			first = run
		}
	}
	return first
}

// mayStart reports whether there is a slot for a run, and needed MiB of memory. own is the usage of its tenant. All runs of a tenant count
// against its own slots, but those of other tenants only for slotTime.
func (s *Scheduler) mayStart(run *entry, own, total usage, needed int) bool {
	if !run.Waits && own.slots+total.recent-own.recent >= s.options.Slots {
		return false
	}
	free := s.options.Memory - total.memory
	if run.Waits && run.Lane != Delete {
		free -= s.options.Memory / reservedPart / RunMemory * RunMemory // nothing if there is little memory
	}
	return s.options.Memory == 0 || free >= needed && own.memory < tenantShare*free
}

func rank(waits bool) int {
	if waits {
		return 0
	}
	return 1
}
