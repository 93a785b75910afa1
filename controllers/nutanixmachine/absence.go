package nutanixmachine

import (
	"sync"
	"time"
)

const (
	// minSearches is how many searches in a row have to find no VM before the absence of the VM is confirmed.
	minSearches = 3
	// unprovenPeriods is how many absence periods a deletion and a create wait if the searches find no VM but prove nothing, for example
	// because Prism Central shows the account no other VM either.
	unprovenPeriods = 10
)

// verdict is what the searches for the VM of a machine say.
type verdict string

const (
	// searching means that more searches are needed.
	searching verdict = "searching"
	// confirmed means that the VM does not exist.
	confirmed verdict = "confirmed"
	// unproven means that the VM was not found for many periods, although its absence could not be proven.
	unproven verdict = "unproven"
)

// absence is what consecutive searches for a VM that is not found say. Its zero value is that of a VM that was not searched.
type absence struct {
	// since is when the first search found no VM, last when the last one did, and searches how many there were.
	since, last time.Time
	searches    int
	// doubt is why the last search proved nothing. It is empty if the search proved that the VM was absent at that time.
	doubt string
	// provenSince is when the first of the last proofs searches was, which all proved the absence.
	provenSince time.Time
	proofs      int
	confirmed   bool
}

// add returns the absence after another search at that time. doubt is why the search proves nothing, or empty. period is the absence
// period.
//
// A search that proves nothing starts the proof anew, and so does a gap between two searches of more than one period: nobody knows what
// Prism Central would have shown meanwhile.
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

// verdict returns what the searches up to now say.
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

// absences keeps what the searches for the VMs of all machines say. It is kept in memory only: a restart begins anew, which delays a
// verdict and never makes a wrong one.
type absences struct {
	mu       sync.Mutex
	machines map[string]*searched
}

// searched is what is known of the VM of one machine.
type searched struct {
	absence absence
	// result is what the last search found, err why it failed, and at when it ended.
	result found
	err    error
	at     time.Time
	// submitted says that a search is queued or under way.
	submitted bool
	// awaited is what a deletion waits for until its absence is certain.
	awaited []string
	// suspect is the UUID of a VM that only the Terraform state names and that was not found.
	suspect string
	// deleted are the UUIDs of VMs whose deletion Prism Central has accepted.
	deleted map[string]bool
}

// with calls use with what is known of the VM of a machine. Nothing else reads or changes it meanwhile.
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

// record adds the result of a search.
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

// reset forgets the searches for the VM of a machine, because the VM is there.
func (a *absences) reset(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.machines[key]; s != nil {
		a.machines[key] = &searched{deleted: s.deleted, submitted: s.submitted}
	}
}

// forget drops everything that is known of the VM of a machine that does not exist any more.
func (a *absences) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.machines, key)
}
