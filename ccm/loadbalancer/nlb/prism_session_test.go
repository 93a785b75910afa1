package nlb

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/capnt/capnt/ccm/nutanix"
)

func (p *prism) ListReservedIPs(_ context.Context, subnetUUID string) (list []nutanix.ReservedIP, err error) {
	return list, p.call("ListReservedIPs", subnetUUID, func() error {
		for r, owner := range p.reserved {
			if r.subnetUUID == subnetUUID {
				list = append(list, nutanix.ReservedIP{Address: r.address, ClientContext: owner})
			}
		}
		return nil
	})
}

func (p *prism) ReserveIP(_ context.Context, subnetUUID string, wanted netip.Addr, owner string) (got netip.Addr, err error) {
	return got, p.call("ReserveIP", "", func() error {
		if got = wanted; !got.IsValid() {
			for got = p.prefix(subnetUUID).Addr().Next(); p.isTaken(subnetUUID, got); got = got.Next() {
				if !p.prefix(subnetUUID).Contains(got.Next()) {
					return fault("ReserveIP", nutanix.Exhausted, "no free IP addresses")
				}
			}
		}
		if p.isTaken(subnetUUID, got) {
			return fault("ReserveIP", nutanix.Conflict, "already in use")
		}
		p.reserved[reservation{subnetUUID, got}] = owner
		return nil
	})
}

func (p *prism) prefix(subnetUUID string) netip.Prefix {
	at := slices.IndexFunc(p.subnets, func(s nutanix.Subnet) bool { return s.UUID == subnetUUID })
	return p.subnets[at].Prefix
}

func (p *prism) isTaken(subnetUUID string, address netip.Addr) bool {
	_, isReserved := p.reserved[reservation{subnetUUID, address}]
	return isReserved || slices.ContainsFunc(p.sessions, func(s nutanix.LoadBalancerSession) bool {
		return s.SubnetUUID == subnetUUID && s.VirtualIP == address
	})
}

func (p *prism) UnreserveIPs(_ context.Context, subnetUUID string, addresses ...netip.Addr) error {
	return p.call("UnreserveIPs", "", func() error {
		for _, a := range addresses {
			for _, s := range p.sessions {
				if s.SubnetUUID == subnetUUID && s.VirtualIP == a {
					p.violate("address %s was freed while session %s had it", a, s.Name)
				}
			}
			for _, ip := range p.floatingIPs {
				if ip.PrivateIP == a {
					p.violate("address %s was freed while a floating IP led to it", a)
				}
			}
			delete(p.reserved, reservation{subnetUUID, a})
		}
		return nil
	})
}

func (p *prism) ListLoadBalancerSessions(_ context.Context, prefix string) (list []nutanix.LoadBalancerSession, err error) {
	return list, p.call("ListLoadBalancerSessions", "", func() error {
		for _, s := range p.sessions {
			if strings.HasPrefix(s.Name, prefix) {
				list = append(list, s)
			}
		}
		return nil
	})
}

func (p *prism) CreateLoadBalancerSession(_ context.Context, s nutanix.LoadBalancerSession) (made nutanix.LoadBalancerSession, err error) {
	return made, p.call("CreateLoadBalancerSession", listenerText(s), func() error {
		if err := p.checkListener("CreateLoadBalancerSession", s); err != nil {
			return err
		}
		s.UUID, s.ETag = p.uuid(), "1"
		p.sessions = append(p.sessions, s)
		made = s
		return nil
	})
}

func (p *prism) checkListener(operation string, s nutanix.LoadBalancerSession) error {
	if _, ok := p.reserved[reservation{s.SubnetUUID, s.VirtualIP}]; !ok && !p.isTaken(s.SubnetUUID, s.VirtualIP) {
		p.violate("session %s was put on %s, which nobody reserved", s.Name, s.VirtualIP)
	}
	for _, other := range p.sessions {
		isOnVIP := other.UUID != s.UUID && other.SubnetUUID == s.SubnetUUID && other.VirtualIP == s.VirtualIP
		if isOnVIP && (p.rules.exclusiveVIP || (other.Port == s.Port && other.Protocol == s.Protocol)) {
			return fault(operation, nutanix.Conflict, "virtual IP is already in use")
		}
	}
	return nil
}

func (p *prism) UpdateLoadBalancerSession(_ context.Context, s nutanix.LoadBalancerSession) error {
	return p.call("UpdateLoadBalancerSession", listenerText(s), func() error {
		have, err := p.session("UpdateLoadBalancerSession", s)
		if err != nil {
			return err
		}
		isMoved := have.SubnetUUID != s.SubnetUUID
		isChanged := isMoved || have.VirtualIP != s.VirtualIP || have.Port != s.Port
		if (p.rules.fixedSubnet && isMoved) || (p.rules.fixedListener && isChanged) || have.Protocol != s.Protocol || have.VPCUUID != s.VPCUUID {
			return fault("UpdateLoadBalancerSession", nutanix.Invalid, "cannot be changed")
		}
		if err := p.checkListener("UpdateLoadBalancerSession", s); err != nil {
			return err
		}
		s.ETag = have.ETag + "1"
		*have = s
		return nil
	})
}

func (p *prism) session(operation string, s nutanix.LoadBalancerSession) (*nutanix.LoadBalancerSession, error) {
	at := slices.IndexFunc(p.sessions, func(o nutanix.LoadBalancerSession) bool { return o.UUID == s.UUID })
	if at < 0 {
		return nil, fault(operation, nutanix.NotFound, "no such session")
	}
	if p.sessions[at].ETag != s.ETag {
		return nil, fault(operation, nutanix.Stale, "etag mismatch")
	}
	return &p.sessions[at], nil
}

func (p *prism) DeleteLoadBalancerSession(_ context.Context, s nutanix.LoadBalancerSession) error {
	return p.call("DeleteLoadBalancerSession", listenerText(s), func() error {
		if _, err := p.session("DeleteLoadBalancerSession", s); err != nil {
			return err
		}
		if slices.ContainsFunc(p.floatingIPs, func(ip nutanix.FloatingIP) bool { return ip.LoadBalancerSessionUUID == s.UUID }) {
			p.violate("session %s was to be deleted while a floating IP led to it", s.Name)
			return fault("DeleteLoadBalancerSession", nutanix.Conflict, "still in use")
		}
		p.sessions = slices.DeleteFunc(p.sessions, func(o nutanix.LoadBalancerSession) bool { return o.UUID == s.UUID })
		return nil
	})
}

func listenerText(s nutanix.LoadBalancerSession) string {
	return fmt.Sprintf("%s %d", s.Protocol, s.Port)
}
