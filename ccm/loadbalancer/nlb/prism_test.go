package nlb

import (
	"context"
	"errors"
	"fmt"
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
		list = slices.DeleteFunc(slices.Clone(p.vms), func(vm nutanix.VM) bool {
			return filter.CategoryUUID != "" && !slices.Contains(vm.CategoryUUIDs, filter.CategoryUUID) || filter.BIOSUUID != "" && vm.BIOSUUID != filter.BIOSUUID
		})
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
		lines = append(lines, fmt.Sprintf("session %s %s %s:%d in %s to %v check %v odd %t",
			s.Name, s.Protocol, s.VirtualIP, s.Port, s.SubnetUUID, targets, s.HealthCheck, s.Odd))
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
