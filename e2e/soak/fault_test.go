package soak

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// victim is what a fault affects.
type victim string

const (
	// manager, terraform and provider are processes that are killed alone. In a Pod, the other processes of the container
	// continue to run unless the manager is the first process of the container.
	manager   victim = "manager"
	terraform victim = "terraform"
	provider  victim = "provider"
	// container is the manager together with all its children. The scratch directory is kept, as an emptyDir is.
	container victim = "container"
	// pod is the container together with the content of the scratch directory.
	pod victim = "pod"
	// leader is the manager that holds the Lease of the leader election. It is suspended until another manager has taken
	// over, and then it continues.
	leader victim = "leader"
	// apiServer is the API server of the management cluster, which is unavailable for the duration of the flag -outage.
	apiServer victim = "apiserver"
)

// kill reports whether the fault counts as one of the kills of the flag -kills.
func (v victim) kill() bool { return v == manager || v == terraform }

// run reports whether the victim is a process of a single run.
func (v victim) run() bool { return v == terraform || v == provider }

// fault describes a planned fault, which begins when a matching request is sent to Prism Central.
type fault struct {
	victim victim
	// request is the kind of request that triggers the fault; see kindOf.
	request string
	// If after is false, the fault begins before the request reaches Prism Central. If after is true, the fault begins after
	// Prism Central has responded, but before the response reaches the sender.
	after bool
	// lost is used only if after is false. If lost is true, the request never reaches Prism Central. Otherwise, the
	// request reaches Prism Central after the duration hold, when a new manager may already be running.
	lost bool
	hold time.Duration
	// suspend is used only for the API server. If suspend is true, it does not respond. Otherwise it refuses connections.
	suspend bool
	// pause is the minimum time between the previous fault and this one. Before the pause has passed, requests do not
	// trigger this fault.
	pause time.Duration
}

func (f fault) String() string {
	moment := fmt.Sprintf("which arrives %s later", f.hold)
	switch {
	case f.after:
		moment = "after Prism Central has responded"
	case f.lost:
		moment = "which never arrives"
	}
	effect := "SIGKILL of"
	switch {
	case f.victim == leader || f.victim == apiServer && f.suspend:
		effect = "suspension of"
	case f.victim == apiServer:
		effect = "SIGKILL and later restart of"
	}
	return fmt.Sprintf("%s %s at a %s request, %s", effect, f.victim, f.request, moment)
}

// planner plans random faults.
type planner struct {
	random *rand.Rand
	// others contains the kinds of faults that occur in addition to kills of the manager and of Terraform.
	others []victim
}

// plan returns random faults for a phase: n kills, and one other fault before every n-th kill of the flag -every. If n is 0,
// plan returns one other fault.
func (p planner) plan(requests []string, h *harness, n int) []fault {
	counts := maps.Clone(h.counts)
	if n == 0 {
		return p.other(requests, h.election, counts)
	}
	var faults []fault
	for number := h.killed + 1; number <= h.killed+n; number++ {
		if number%*otherEvery == 0 {
			faults = append(faults, p.other(requests, h.election, counts)...)
		}
		faults = append(faults, p.fault([]victim{manager, terraform}[p.random.IntN(2)], requests))
	}
	return faults
}

// other returns one of the other faults, of the kind that has occurred least often, and counts it. It returns no fault if
// all other faults need leader election and the manager runs without.
func (p planner) other(requests []string, election bool, counts map[victim]int) []fault {
	kinds := slices.DeleteFunc(slices.Clone(p.others), func(kind victim) bool { return kind == leader && !election })
	if len(kinds) == 0 {
		return nil
	}
	p.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	kind := slices.MinFunc(kinds, func(a, b victim) int { return counts[a] - counts[b] })
	counts[kind]++
	return []fault{p.fault(kind, requests)}
}

// fault returns a random fault. On average, at least half of the faults use the first kind of request.
func (p planner) fault(victim victim, requests []string) fault {
	f := fault{victim: victim, request: requests[0], after: p.random.IntN(2) == 0, lost: p.random.IntN(2) == 0,
		suspend: p.random.IntN(2) == 0, hold: p.upTo(maxHold), pause: p.upTo(time.Duration(*machineCount) * pausePerMachine)}
	if p.random.IntN(2) == 0 {
		f.request = requests[p.random.IntN(len(requests))]
	}
	return f
}

// upTo returns a random duration below limit, in whole tenths of a second.
func (p planner) upTo(limit time.Duration) time.Duration {
	return time.Duration(p.random.IntN(int(limit/(100*time.Millisecond)))) * 100 * time.Millisecond
}
