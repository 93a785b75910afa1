package nlb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/capnt/capnt/ccm/nutanix"
)

// prism is a Prism Central in memory that fails on script: at one call, before or after its effect, with an error or by the
// death of the caller. It counts every call, and notes what must never happen (violations).
type prism struct {
	nutanix.API // methods that load balancers do not need: calling one is a fault
	mu          sync.Mutex

	vpcs       []nutanix.VPC
	subnets    []nutanix.Subnet
	vms        []nutanix.VM
	categories []nutanix.Category

	reserved    map[reservation]string
	sessions    []nutanix.LoadBalancerSession
	floatingIPs []nutanix.FloatingIP
	made        int

	interruption
	calls      []string
	violations []string
	rules      rules
	// faults fail an operation with an error, as often as there are some, before its effect.
	faults map[string][]error
	// after is called after every change.
	after func()
}

// rules are choices of which it is unknown what a real Prism Central does.
type rules struct{ exclusiveVIP, fixedSubnet, fixedListener bool }

// interruption hits one call.
type interruption struct {
	at          int // the first call is 1; 0: never
	afterEffect bool
	panics      bool
	hit         bool
}

var errKilled = errors.New("killed")

func (p *prism) call(operation, detail string, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, strings.TrimSpace(operation+" "+detail))
	isHit := len(p.calls) == p.at
	if isHit && !p.afterEffect {
		return p.interrupt(operation)
	}
	if queue := p.faults[operation]; len(queue) > 0 {
		p.faults[operation] = queue[1:]
		return queue[0]
	}
	err := effect()
	if p.after != nil {
		p.after()
	}
	if isHit {
		return p.interrupt(operation)
	}
	return err
}

func (p *prism) interrupt(operation string) error {
	p.hit = true
	if p.panics {
		panic(errKilled)
	}
	return fault(operation, nutanix.Unavailable, "connection reset")
}

func fault(operation string, kind nutanix.Kind, message string) error {
	return &nutanix.Error{Operation: operation, Kind: kind, Message: message}
}

// reset forgets calls and interruption, and keeps what there is.
func (p *prism) reset() { p.calls, p.interruption = nil, interruption{} }

func (p *prism) uuid() string {
	p.made++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", p.made)
}

func (p *prism) violate(format string, args ...any) {
	p.violations = append(p.violations, fmt.Sprintf(format, args...))
}

func (p *prism) ListVPCs(_ context.Context, name string) (list []nutanix.VPC, err error) {
	return list, p.call("ListVPCs", "", func() error {
		list = slices.DeleteFunc(slices.Clone(p.vpcs), func(v nutanix.VPC) bool { return name != "" && v.Name != name })
		return nil
	})
}

func (p *prism) ListSubnets(context.Context, string) (list []nutanix.Subnet, err error) {
	return list, p.call("ListSubnets", "", func() error { list = slices.Clone(p.subnets); return nil })
}

func (p *prism) ListCategories(_ context.Context, key string) (list []nutanix.Category, err error) {
	return list, p.call("ListCategories", key, func() error { list = slices.Clone(p.categories); return nil })
}

func (p *prism) ListVMs(_ context.Context, filter nutanix.VMFilter) (list []nutanix.VM, err error) {
	return list, p.call("ListVMs", "", func() error {
		list = slices.DeleteFunc(slices.Clone(p.vms), func(vm nutanix.VM) bool { return !slices.Contains(vm.CategoryUUIDs, filter.CategoryUUID) })
		return nil
	})
}

func (p *prism) VM(_ context.Context, uuid string) (vm nutanix.VM, err error) {
	return vm, p.call("VM", uuid, func() error {
		at := slices.IndexFunc(p.vms, func(vm nutanix.VM) bool { return vm.UUID == uuid })
		if at < 0 {
			return fault("VM", nutanix.NotFound, "no such VM")
		}
		vm = p.vms[at]
		return nil
	})
}

func (p *prism) ListReservedIPs(_ context.Context, subnetUUID string) (list []nutanix.ReservedIP, err error) {
	return list, p.call("ListReservedIPs", "", func() error {
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

func listenerText(s nutanix.LoadBalancerSession) string {
	return fmt.Sprintf("%s %d", s.Protocol, s.Port)
}

// pieces is how many there are.
func (p *prism) pieces() int { return len(p.reserved) + len(p.sessions) + len(p.floatingIPs) }

// picture is what there is, without UUIDs and versions, to be compared.
func (p *prism) picture() []string {
	var lines []string
	for r, owner := range p.reserved {
		lines = append(lines, fmt.Sprintf("reserved %s in %s by %s", r.address, r.subnetUUID, owner))
	}
	for _, s := range p.sessions {
		targets := make([]string, 0, len(s.Targets))
		for _, t := range s.Targets {
			targets = append(targets, fmt.Sprintf("%s:%d", t.NICUUID, t.Port))
		}
		slices.Sort(targets)
		lines = append(lines, fmt.Sprintf("session %s %s %s:%d in %s to %v check %v", s.Name, s.Protocol, s.VirtualIP, s.Port, s.SubnetUUID, targets, s.HealthCheck))
	}
	for _, ip := range p.floatingIPs {
		target := "virtual IP " + ip.PrivateIP.String()
		for _, s := range p.sessions {
			if s.UUID == ip.LoadBalancerSessionUUID {
				target = "session " + s.Name
			}
		}
		lines = append(lines, fmt.Sprintf("floating IP %s from %s to %s", ip.Name, ip.ExternalSubnetUUID, target))
	}
	slices.Sort(lines)
	return lines
}
