package nutanixmachine

import (
	"sync"
	"time"
)

const (
	// minSearches is how many searches in a row have to find no VM before the absence of the VM is confirmed.
	minSearches = 3
	// unprovenPeriods is how many absence periods a deletion and a create wait if the searches find no VM but prove nothing. A
	// search proves nothing if, for example, Prism Central shows the account no other VM either.
	unprovenPeriods = 10
)

// verdict is the result of consecutive searches for the VM of a machine.
type verdict string

const (
	// searching means that more searches are needed.
	searching verdict = "searching"
	// confirmed means that the VM does not exist.
	confirmed verdict = "confirmed"
	// unproven means that the VM was not found for unprovenPeriods, but its absence could not be proven.
	unproven verdict = "unproven"
)

// absence is the result of consecutive searches that did not find a VM. Its zero value means that no search has ended yet.
type absence struct {
	// since is when the first search found no VM, last when the last search found none, and searches is the number of these
	// searches.
	since, last time.Time
	searches    int
	// doubt is the reason why the last search proved nothing. It is empty if the search proved that the VM was absent at that
	// time.
	doubt string
	// provenSince is the time of the first of the most recent searches that all proved the absence. proofs is their number.
	provenSince time.Time
	proofs      int
	confirmed   bool
}

// add returns the absence after another search at that time. doubt is the reason why the search proves nothing, or empty. period
// is the absence period.
//
// The proof starts again after a search that proves nothing, and after a gap of more than one period between two searches, because
// Prism Central might have shown the VM in the meantime.
func (a absence) add(at time.Time, doubt string, period time.Duration) absence {
	if a.searches == 0 {
		a.since = at
	}
	gap := at.Sub(a.last)
	a.last, a.doubt = at, doubt
	a.searches++
	if doubt != "" {
		a.proofs, a.confirmed = 0, false
		return a
	}
	if a.proofs == 0 || !a.confirmed && gap > period {
		a.provenSince, a.proofs = at, 0
	}
	a.proofs++
	a.confirmed = a.confirmed || a.proofs >= minSearches && at.Sub(a.provenSince) >= period
	return a
}

// verdict returns the verdict after the searches so far.
func (a absence) verdict(period time.Duration) verdict {
	switch {
	case a.confirmed:
		return confirmed
	case a.searches >= unprovenPeriods && a.last.Sub(a.since) >= unprovenPeriods*period:
		return unproven
	default:
		return searching
	}
}

// searchInterval returns how long after a search the next one is due.
func (a absence) searchInterval(period time.Duration) time.Duration {
	if a.confirmed {
		return period
	}
	return max(period/minSearches, time.Second/10)
}

// absences stores the results of the searches for the VMs of all machines. They are kept in memory only. After a restart the
// searches begin again, which delays a verdict but cannot make it wrong.
type absences struct {
	mu       sync.Mutex
	machines map[string]*searched
}

// searched is the result of the searches for the VM of one machine.
type searched struct {
	absence absence
	// result is what the last search found, err the error with which it failed, and at when it ended.
	result found
	err    error
	at     time.Time
	// submitted says that a search is queued or under way.
	submitted bool
	// awaited describes the VMs whose absence a deletion has to confirm.
	awaited []string
	// suspect is the UUID of a VM that was not found and that only the Terraform state names.
	suspect string
	// deleted are the UUIDs of VMs whose deletion Prism Central has accepted.
	deleted map[string]bool
}

// with calls use while it holds the lock on the search results of a machine.
func (a *absences) with(key string, use func(s *searched)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.machines == nil {
		a.machines = map[string]*searched{}
	}
	if a.machines[key] == nil {
		a.machines[key] = &searched{deleted: map[string]bool{}}
	}
	use(a.machines[key])
}

// record adds the result of a search and returns the verdict.
func (a *absences) record(key string, result found, err error, at time.Time, period time.Duration) verdict {
	var says verdict
	a.with(key, func(s *searched) {
		s.result, s.err, s.at = result, err, at
		switch {
		case err != nil:
		case len(result.ours) > 0:
			s.absence = absence{}
		default:
			s.absence = s.absence.add(at, result.doubt, period)
		}
		says = s.absence.verdict(period)
	})
	return says
}

// reset forgets the searches for the VM of a machine, because the VM was found.
func (a *absences) reset(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.machines[key]; s != nil {
		a.machines[key] = &searched{deleted: s.deleted, submitted: s.submitted}
	}
}

// forget removes all search results of a machine that does not exist any more.
func (a *absences) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.machines, key)
}
