package networking

import (
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

// vipHolder is the owner of all virtual IPs in the address pools. To find the session that uses a virtual IP, compare
// the address with the virtual IP of each session.
const vipHolder = "load balancer"

// placeVIP assigns the virtual IP of a new spec to a session and releases the previous virtual IP.
func (api *API) placeVIP(s *session, spec sessionSpec) *failure {
	pool, had := s.subnet.V4, s.vip
	vip := had
	if spec.wantVIP.static {
		if failed := checkStaticVIP(s.subnet, spec.wantVIP); failed != nil {
			return failed
		}
		vip = spec.wantVIP.address
	}
	if !vip.IsValid() {
		taken, ok := pool.Take(s.uuid)
		if !ok {
			return exhausted("No free IP addresses are left in the pools of subnet %s for a virtual IP", s.subnet.UUID)
		}
		vip = taken
	}
	if failed := api.checkSharing(s, spec, vip); failed != nil {
		return failed
	}
	pool.InUse[vip] = vipHolder
	s.vip = vip
	if had.IsValid() && had != vip {
		api.freeVIP(s.subnet, had)
	}
	return nil
}

// checkStaticVIP returns a failure if the address is outside of the subnet or has an owner that is not a load balancer
// session. A reserved address is allowed.
func checkStaticVIP(n *model.Subnet, want wantedVIP) *failure {
	if want.prefixLength != want.address.BitLen() {
		return invalid("Virtual IP %s/%d is malformed", want.address, want.prefixLength)
	}
	if !n.V4.Usable(want.address) {
		return invalid("Virtual IP %s is not a usable address of subnet %s", want.address, n.UUID)
	}
	if holder, used := n.V4.InUse[want.address]; used && holder != vipHolder {
		return conflict("Virtual IP %s is already in use on subnet %s", want.address, n.UUID)
	}
	return nil
}

// checkSharing returns a failure if another session uses the virtual IP and the two sessions cannot share it.
func (api *API) checkSharing(s *session, spec sessionSpec, vip netip.Addr) *failure {
	for _, other := range api.sessions.All {
		if other == s || other.subnet != s.subnet || other.vip != vip {
			continue
		}
		if api.rules.ExclusiveVIP {
			return conflict("Virtual IP %s is already in use by load balancer session %s", vip, other.uuid)
		}
		if clash, found := other.clash(spec); found {
			return conflict("Virtual IP %s with protocol %s and port %s is already in use by load balancer session %s",
				vip, spec.protocol, clash, other.uuid)
		}
	}
	return nil
}

// clash returns the first port range in spec that overlaps with a port range of the session s. If the protocols differ,
// there is no overlap.
func (s *session) clash(spec sessionSpec) (portRange, bool) {
	if s.protocol != spec.protocol {
		return portRange{}, false
	}
	for _, have := range s.ports {
		for _, want := range spec.ports {
			if have.overlaps(want) {
				return want, true
			}
		}
	}
	return portRange{}, false
}

// freeVIP releases an address unless a session uses it. If the address is reserved, the reservation stays.
func (api *API) freeVIP(subnet *model.Subnet, vip netip.Addr) {
	shared := model.Find(api.sessions.All, func(o *session) bool { return o.subnet == subnet && o.vip == vip })
	if shared == nil {
		delete(subnet.V4.InUse, vip)
	}
}
