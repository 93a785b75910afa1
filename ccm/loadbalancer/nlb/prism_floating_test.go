package nlb

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/capnt/capnt/ccm/nutanix"
)

func (p *prism) ListFloatingIPs(_ context.Context, prefix string) (list []nutanix.FloatingIP, err error) {
	return list, p.call("ListFloatingIPs", "", func() error {
		for _, ip := range p.floatingIPs {
			if strings.HasPrefix(ip.Name, prefix) {
				list = append(list, ip)
			}
		}
		return nil
	})
}

func (p *prism) CreateFloatingIP(_ context.Context, ip nutanix.FloatingIP) (made nutanix.FloatingIP, err error) {
	return made, p.call("CreateFloatingIP", "", func() error {
		if err := p.checkAssociation("CreateFloatingIP", ip); err != nil {
			return err
		}
		ip.UUID, ip.ETag = p.uuid(), "1"
		ip.Address = netip.AddrFrom4([4]byte{203, 0, 113, byte(p.made)})
		p.floatingIPs = append(p.floatingIPs, ip)
		made = ip
		return nil
	})
}

func (p *prism) checkAssociation(operation string, ip nutanix.FloatingIP) error {
	if _, err := p.privateIP(ip); err != nil {
		return fault(operation, nutanix.NotFound, err.Error())
	}
	for _, other := range p.floatingIPs {
		mine, _ := p.privateIP(ip)
		theirs, _ := p.privateIP(other)
		if other.UUID != ip.UUID && mine == theirs {
			return fault(operation, nutanix.Conflict, "private IP is already in use")
		}
	}
	return nil
}

func (p *prism) privateIP(ip nutanix.FloatingIP) (netip.Addr, error) {
	if ip.LoadBalancerSessionUUID == "" {
		return ip.PrivateIP, nil
	}
	at := slices.IndexFunc(p.sessions, func(s nutanix.LoadBalancerSession) bool { return s.UUID == ip.LoadBalancerSessionUUID })
	if at < 0 {
		return netip.Addr{}, errors.New("no such session")
	}
	return p.sessions[at].VirtualIP, nil
}

func (p *prism) floatingIP(operation string, ip nutanix.FloatingIP) (*nutanix.FloatingIP, error) {
	at := slices.IndexFunc(p.floatingIPs, func(o nutanix.FloatingIP) bool { return o.UUID == ip.UUID })
	if at < 0 {
		return nil, fault(operation, nutanix.NotFound, "no such floating IP")
	}
	if p.floatingIPs[at].ETag != ip.ETag {
		return nil, fault(operation, nutanix.Stale, "etag mismatch")
	}
	return &p.floatingIPs[at], nil
}

func (p *prism) UpdateFloatingIP(_ context.Context, ip nutanix.FloatingIP) error {
	return p.call("UpdateFloatingIP", "", func() error {
		have, err := p.floatingIP("UpdateFloatingIP", ip)
		if err != nil {
			return err
		}
		if err := p.checkAssociation("UpdateFloatingIP", ip); err != nil {
			return err
		}
		ip.ETag = have.ETag + "1"
		*have = ip
		return nil
	})
}

func (p *prism) DeleteFloatingIP(_ context.Context, ip nutanix.FloatingIP) error {
	return p.call("DeleteFloatingIP", "", func() error {
		if _, err := p.floatingIP("DeleteFloatingIP", ip); err != nil {
			return err
		}
		p.floatingIPs = slices.DeleteFunc(p.floatingIPs, func(o nutanix.FloatingIP) bool { return o.UUID == ip.UUID })
		return nil
	})
}
