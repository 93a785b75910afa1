package nlb

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/capnt/capnt/ccm/nutanix"
)

// plan gives the steps from what is found to what is wanted, in an order in which no wanted port loses its traffic and no
// address is freed that is in use: reserve; delete floating IPs, then sessions, that nobody wants; change and create
// sessions; create or associate the floating IP; free addresses. A step may use what an earlier one learned (progress).
// A plan that is not the whole way says so in progress.more.
func plan(w wanted, f found) ([]step, *progress) {
	p := &progress{sessions: map[string]string{}, refused: map[string]bool{}}
	var steps []step
	address, isReserved := chooseAddress(w, f)
	p.address = address
	if !isReserved {
		steps = append(steps, reserve{w, address, isHeld(address, w, f), f.foreign[reservation{w.subnet.UUID, address}]})
	}
	ip, surplusIPs := chooseFloatingIP(w, f)
	for _, surplus := range surplusIPs {
		steps = append(steps, deleteFloatingIP{surplus})
	}
	pairs, surplus := pair(w, f, address)
	if ip != nil && ip.LoadBalancerSessionUUID != "" && hasSession(surplus, ip.LoadBalancerSessionUUID) {
		p.more = true
		return append(steps, associate{*ip, association{vpcUUID: w.vpcUUID}}), p
	}
	for _, session := range surplus {
		steps = append(steps, deleteSession{session})
	}
	steps = append(steps, sessionSteps(pairs, p)...)
	steps = append(steps, floatingSteps(w, ip, p)...)
	return append(steps, freeSteps(w, f, address)...), p
}

func hasSession(sessions []nutanix.LoadBalancerSession, uuid string) bool {
	return slices.ContainsFunc(sessions, func(s nutanix.LoadBalancerSession) bool { return s.UUID == uuid })
}

// planNodes gives the steps that make the targets of sessions as wanted, and change nothing else.
func planNodes(w wanted, f found) []step {
	var steps []step
	for _, want := range w.sessions {
		for _, have := range f.sessions {
			if have.Name == want.Name && !sameTargets(have.Targets, want.Targets) {
				steps = append(steps, retarget{have, want.Targets})
			}
		}
	}
	return steps
}

// planDelete gives the steps that remove everything.
func planDelete(f found) []step {
	var steps []step
	for _, ip := range f.floatingIPs {
		steps = append(steps, deleteFloatingIP{ip})
	}
	for _, session := range f.sessions {
		steps = append(steps, deleteSession{session})
	}
	for _, r := range sorted(f.reservations) {
		steps = append(steps, unreserve(r))
	}
	return steps
}

// chooseAddress gives the virtual IP, and whether it is reserved already; it is invalid when any may be reserved. Without
// one that was asked for it stays what it is: of those that are reserved the one that most sessions have, or else, when the
// reservation was lost, the one that most sessions have.
func chooseAddress(w wanted, f found) (address netip.Addr, isReserved bool) {
	isReservedHere := func(a netip.Addr) bool { return slices.Contains(f.reservations, reservation{w.subnet.UUID, a}) }
	if w.address.IsValid() {
		return w.address, isReservedHere(w.address)
	}
	uses := map[netip.Addr]int{}
	for _, session := range f.sessions {
		if session.SubnetUUID == w.subnet.UUID && session.VirtualIP.IsValid() {
			uses[session.VirtualIP]++
		}
	}
	candidates := slices.Collect(maps.Keys(uses))
	for _, r := range f.reservations {
		if r.subnetUUID == w.subnet.UUID {
			candidates = append(candidates, r.address)
		}
	}
	if len(candidates) == 0 {
		return netip.Addr{}, false
	}
	best := slices.MinFunc(candidates, func(a, b netip.Addr) int {
		return cmp.Or(trueFirst(isReservedHere(a), isReservedHere(b)), cmp.Compare(uses[b], uses[a]), a.Compare(b))
	})
	return best, isReservedHere(best)
}

// isHeld reports whether a session of the owner has the address: then it is ours even if it cannot be reserved.
func isHeld(address netip.Addr, w wanted, f found) bool {
	return slices.ContainsFunc(f.sessions, func(s nutanix.LoadBalancerSession) bool {
		return s.SubnetUUID == w.subnet.UUID && address.IsValid() && s.VirtualIP == address
	})
}

// freeSteps free every address but the chosen one. Any one is chosen, before it is known, where none is reserved.
func freeSteps(w wanted, f found, address netip.Addr) []step {
	var steps []step
	for _, r := range sorted(f.reservations) {
		if r != (reservation{w.subnet.UUID, address}) {
			steps = append(steps, unreserve(r))
		}
	}
	return steps
}

func sorted(reservations []reservation) []reservation {
	return slices.SortedFunc(slices.Values(reservations), func(a, b reservation) int {
		return cmp.Or(cmp.Compare(a.subnetUUID, b.subnetUUID), a.address.Compare(b.address))
	})
}
