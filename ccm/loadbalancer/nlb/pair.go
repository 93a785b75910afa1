package nlb

import (
	"cmp"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/capnt/capnt/ccm/nutanix"
)

// paired is a session that is wanted, and the one that there is.
type paired struct{ want, have nutanix.LoadBalancerSession }

// pair finds for each wanted session the one that it is made of: the one of its name, or else one that nobody wants, which
// keeps its floating IP and its place on the virtual IP. have is empty where there is none. Duplicates, which a lost reply
// may leave, and everything else is surplus.
func pair(w wanted, f found, address netip.Addr) (pairs []paired, surplus []nutanix.LoadBalancerSession) {
	left := slices.Clone(f.sessions)
	slices.SortFunc(left, func(a, b nutanix.LoadBalancerSession) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), trueFirst(a.VirtualIP == address, b.VirtualIP == address), cmp.Compare(a.UUID, b.UUID))
	})
	take := func(want nutanix.LoadBalancerSession, suits func(nutanix.LoadBalancerSession) bool) bool {
		at := slices.IndexFunc(left, func(have nutanix.LoadBalancerSession) bool {
			return suits(have) && canBecome(have, want, address, f.refused)
		})
		if at < 0 {
			return false
		}
		pairs = append(pairs, paired{want, left[at]})
		left = slices.Delete(left, at, at+1)
		return true
	}
	names := sets.New[string]()
	for _, want := range w.sessions {
		names.Insert(want.Name)
	}
	var missing []nutanix.LoadBalancerSession
	for _, want := range w.sessions {
		if !take(want, func(have nutanix.LoadBalancerSession) bool { return have.Name == want.Name }) {
			missing = append(missing, want)
		}
	}
	for _, want := range missing {
		if !take(want, func(have nutanix.LoadBalancerSession) bool { return !names.Has(have.Name) }) {
			pairs = append(pairs, paired{want: want})
		}
	}
	return pairs, left
}

// canBecome reports whether a session can be changed to be the wanted one. VPC and protocol are for life, and of the listener
// what Prism Central refused to change.
func canBecome(have, want nutanix.LoadBalancerSession, address netip.Addr, refused sets.Set[listenerChange]) bool {
	if have.VPCUUID != want.VPCUUID || have.Protocol != want.Protocol {
		return false
	}
	change := changeOf(have, want, address)
	for r := range refused {
		if change.includes(r) {
			return false
		}
	}
	return true
}

// listenerChange says what of a listener changes.
type listenerChange struct{ subnet, address, port bool }

func changeOf(have, want nutanix.LoadBalancerSession, address netip.Addr) listenerChange {
	return listenerChange{have.SubnetUUID != want.SubnetUUID, have.VirtualIP != address, have.Port != want.Port}
}

func (c listenerChange) isNone() bool { return c == listenerChange{} }

// includes reports whether everything changes that the other one changes.
func (c listenerChange) includes(other listenerChange) bool {
	return (c.subnet || !other.subnet) && (c.address || !other.address) && (c.port || !other.port)
}

// sessionSteps change sessions first, and create them then: what exists serves somebody.
func sessionSteps(pairs []paired, p *progress) []step {
	var updates, creations []step
	for _, pair := range pairs {
		if pair.have.UUID == "" {
			creations = append(creations, createSession{pair.want})
			continue
		}
		p.sessions[pair.want.Name] = pair.have.UUID
		if !p.address.IsValid() || !same(pair.have, pair.want, p.address) {
			updates = append(updates, updateSession{pair.have, pair.want})
		}
	}
	return append(updates, creations...)
}

// same reports whether a session is as wanted. The description is for people and does not count.
func same(have, want nutanix.LoadBalancerSession, address netip.Addr) bool {
	return have.Name == want.Name && !have.Odd && changeOf(have, want, address).isNone() &&
		have.HealthCheck == want.HealthCheck && sameTargets(have.Targets, want.Targets)
}

func sameTargets(have, want []nutanix.Target) bool {
	key := func(targets []nutanix.Target) sets.Set[nutanix.Target] {
		set := sets.New[nutanix.Target]()
		for _, t := range targets {
			set.Insert(nutanix.Target{NICUUID: t.NICUUID, Port: t.Port})
		}
		return set
	}
	return len(have) == len(want) && key(have).Equal(key(want))
}

// trueFirst compares so that what is true comes first.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}
