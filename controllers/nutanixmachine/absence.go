package nutanixmachine

import (
	"sync"
	"time"
)

const (
	// minSearches is the number of consecutive searches that must find no VM before the absence of the VM is confirmed.
	minSearches = 3
	// unprovenPeriods is the number of absence periods that a deletion or a create waits if the searches find no VM but
	// are inconclusive. A search is inconclusive, for example, if Prism Central shows the account no other VM of the
	// cluster either.
	unprovenPeriods = 10
)

// verdict is the outcome of consecutive searches for the VM of a machine.
type verdict string

const (
	// searching means that more searches are needed.
	searching verdict = "searching"
	// confirmed means that the VM does not exist.
	confirmed verdict = "confirmed"
	// unproven means that the VM was not found for unprovenPeriods absence periods, but the searches were inconclusive.
	unproven verdict = "unproven"
)

// absence summarizes consecutive searches that did not find a VM. Its zero value means that no search has ended yet.
type absence struct {
	// since is the time of the first search that found no VM, and last is the time of the most recent one. searches is
	// the number of searches from since to last.
	since, last time.Time
	searches    int
	// doubt is the reason why the last search was inconclusive. If the search was conclusive, doubt is empty.
	doubt string
	// proofs is the number of conclusive searches since the last inconclusive search. provenSince is the time of the
	// first of these searches.
	provenSince time.Time
	proofs      int
	confirmed   bool
}

// add returns the absence after another search that found no VM. at is the time of the search. If the search was
// inconclusive, doubt contains the reason; otherwise doubt is empty. period is the absence period.
//
// add counts conclusive searches. It resets the count after an inconclusive search. It also resets the count after a
// gap of more than one period between two searches, unless the absence is already confirmed, because Prism Central
// might have shown the VM during the gap.
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

// verdict returns the verdict after all searches so far.
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

// searchInterval returns the delay between a search and the next search.
func (a absence) searchInterval(period time.Duration) time.Duration {
	if a.confirmed {
		return period
	}
	return max(period/minSearches, time.Second/10)
}

// absences stores the results of the searches for the VMs of all machines. The results are kept only in memory. After a
// restart the searches begin again, which delays a verdict but cannot make the verdict wrong.
type absences struct {
	mu       sync.Mutex
	machines map[string]*searched
}

// searched contains the results of the searches for the VM of one machine.
type searched struct {
	absence absence
	// result is what the last search found. err is the error if the search failed. at is the time at which the search
	// ended.
	result found
	err    error
	at     time.Time
	// submitted is true while a search is queued or under way.
	submitted bool
	// awaited describes the VMs whose absence a deletion has to confirm.
	awaited []string
	// suspect is the UUID of a VM that only the Terraform state references and that Prism Central did not find.
	suspect string
	// deleted are the UUIDs of VMs whose deletion Prism Central has accepted.
	deleted map[string]bool
}

// with locks the search results of the machine with the key, and calls use with these results.
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

// record stores the result of a search and returns the verdict.
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

// reset removes the results of the searches for a machine's VM, because the VM was found. The set of deleted VMs stays.
func (a *absences) reset(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.machines[key]; s != nil {
		a.machines[key] = &searched{deleted: s.deleted, submitted: s.submitted}
	}
}

// forget removes all search results of a machine that no longer exists.
func (a *absences) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.machines, key)
}
