package nlb

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/capnt/capnt/ccm/nutanix"
)

// association is what a floating IP leads to: the session of that name, or the virtual IP as a private IP of the VPC if the
// name is empty.
type association struct{ session, vpcUUID string }

// associationOf gives what the floating IP shall lead to. A floating IP names one session at most.
func associationOf(w wanted) association {
	if len(w.sessions) == 1 {
		return association{w.sessions[0].Name, w.vpcUUID}
	}
	return association{vpcUUID: w.vpcUUID}
}

// apply gives the floating IP with the association.
func (a association) apply(ip nutanix.FloatingIP, p *progress) nutanix.FloatingIP {
	ip.LoadBalancerSessionUUID, ip.PrivateIP, ip.VPCUUID = "", netip.Addr{}, a.vpcUUID
	if a.session == "" {
		ip.PrivateIP = p.address
	} else {
		ip.LoadBalancerSessionUUID = p.sessions[a.session]
	}
	return ip
}

// holds reports whether the floating IP leads there already, as far as is known before the plan is carried out.
func (a association) holds(ip nutanix.FloatingIP, p *progress) bool {
	if a.session != "" {
		return ip.LoadBalancerSessionUUID != "" && ip.LoadBalancerSessionUUID == p.sessions[a.session]
	}
	return ip.LoadBalancerSessionUUID == "" && p.address.IsValid() && ip.PrivateIP == p.address && ip.VPCUUID == a.vpcUUID
}

// chooseFloatingIP gives the one that stays, if any: one of the right subnet, and rather one that leads somewhere. One of
// another subnet is surplus and goes first, since two cannot lead to the same place.
func chooseFloatingIP(w wanted, f found) (kept *nutanix.FloatingIP, surplus []nutanix.FloatingIP) {
	ips := slices.SortedFunc(slices.Values(f.floatingIPs), func(a, b nutanix.FloatingIP) int {
		return cmp.Or(trueFirst(isAssociated(a), isAssociated(b)), cmp.Compare(a.UUID, b.UUID))
	})
	for _, ip := range ips {
		if kept == nil && w.externalSubnetUUID != "" && ip.ExternalSubnetUUID == w.externalSubnetUUID {
			kept = &ip
		} else {
			surplus = append(surplus, ip)
		}
	}
	return kept, surplus
}

func isAssociated(ip nutanix.FloatingIP) bool {
	return ip.LoadBalancerSessionUUID != "" || ip.PrivateIP.IsValid()
}

// floatingSteps make the floating IP lead to the sessions.
func floatingSteps(w wanted, ip *nutanix.FloatingIP, p *progress) []step {
	target := associationOf(w)
	switch {
	case w.externalSubnetUUID == "":
		return nil
	case ip == nil:
		return []step{createFloatingIP{nutanix.FloatingIP{
			Name: w.owner.Name(), Description: w.description, ExternalSubnetUUID: w.externalSubnetUUID,
		}, target}}
	}
	p.floating = ip.Address
	if target.holds(*ip, p) {
		return nil
	}
	return []step{associate{*ip, target}}
}
