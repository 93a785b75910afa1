package networking

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"
)

// Control inspects and changes the entities of the networking API directly, without requests and tasks.
type Control struct{ api *API }

// NewControl returns the Control of a networking API.
func NewControl(api *API) *Control { return &Control{api} }

// HoldLoadBalancerSession makes tasks of a session that start from now on wait until resume is called.
func (c *Control) HoldLoadBalancerSession(sessionUUID string) (resume func()) {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	held := make(chan struct{})
	c.api.sessionByUUID(sessionUUID).queue.Tail = held
	return func() { close(held) }
}

// AddLoadBalancerSession adds a session and returns the UUID of the session. It uses the fields Name, Description, VPC,
// Subnet, Protocol, Ports and Targets of view, and VirtualIP if Static is set. VPC and Subnet are names or UUIDs.
func (c *Control) AddLoadBalancerSession(view LoadBalancerSession) (string, error) {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	vpc := model.Find(c.api.VPCs, func(v *model.VPC) bool { return v.Name == view.VPC || v.UUID == view.VPC })
	subnet := c.api.SubnetNamed(view.Subnet)
	if vpc == nil || subnet == nil {
		return "", fmt.Errorf("adding load balancer session %q: VPC %q or subnet %q does not exist", view.Name, view.VPC, view.Subnet)
	}
	spec := sessionSpec{
		name: view.Name, description: view.Description, vpcUUID: vpc.UUID, protocol: view.Protocol, health: defaultHealthCheck,
		targets: targetsOf(view.Targets), wantVIP: wantedVIP{subnetUUID: subnet.UUID, static: view.Static},
	}
	if view.Static {
		spec.wantVIP.address = ipam.Address(view.VirtualIP)
		spec.wantVIP.prefixLength = spec.wantVIP.address.BitLen()
	}
	for _, text := range view.Ports {
		ports, err := parsePorts(text)
		if err != nil {
			return "", fmt.Errorf("adding load balancer session %q: %w", view.Name, err)
		}
		spec.ports = append(spec.ports, ports)
	}
	id := uuid.NewString()
	return id, c.api.createSession(id, spec).asError("Add Load Balancer Session")
}

// DeleteLoadBalancerSession deletes a session, even if a floating IP is associated with it.
func (c *Control) DeleteLoadBalancerSession(sessionUUID string) error {
	return c.changeFromOutside(sessionUUID, func(found *session) {
		for _, f := range c.api.floatingIPs.All {
			if f.target.session == found {
				f.target, f.version = association{}, f.version+1
			}
		}
		c.api.dropSession(found)
	})
}

// SetLoadBalancerTargets replaces the targets of a session without validation. It uses the fields NIC and Port of the
// targets.
func (c *Control) SetLoadBalancerTargets(sessionUUID string, targets ...Target) error {
	return c.changeFromOutside(sessionUUID, func(found *session) {
		found.targets, found.version = targetsOf(targets), found.version+1
	})
}

func (c *Control) changeFromOutside(sessionUUID string, change func(*session)) error {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	found := c.api.sessionByUUID(sessionUUID)
	if found == nil {
		return fmt.Errorf("changing load balancer session %s: it does not exist", sessionUUID)
	}
	change(found)
	return nil
}

// ReserveIP reserves an address of a subnet (name or UUID).
func (c *Control) ReserveIP(subnet, address, clientContext string) error {
	return c.changeReservation(subnet, address, func(n *model.Subnet, want addressSelection) *failure {
		want.context = clientContext
		_, failed := reserve(n, want, 0)
		return failed
	})
}

// UnreserveIP removes the reservation of an address of a subnet (name or UUID).
func (c *Control) UnreserveIP(subnet, address string) error {
	return c.changeReservation(subnet, address, func(n *model.Subnet, want addressSelection) *failure {
		_, failed := unreserve(n, want)
		return failed
	})
}

func (c *Control) changeReservation(subnet, address string, change func(*model.Subnet, addressSelection) *failure) error {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	n := c.api.SubnetNamed(subnet)
	if n == nil {
		return fmt.Errorf("changing reservations of subnet %q: it does not exist", subnet)
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("changing reservations of subnet %q: %w", subnet, err)
	}
	return change(n, addressSelection{by: selectList, addresses: []netip.Addr{a}}).asError("change reservations of subnet " + subnet)
}

// DeleteFloatingIP deletes a floating IP.
func (c *Control) DeleteFloatingIP(floatingIPUUID string) error {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	found := c.api.floatingIPByUUID(floatingIPUUID)
	if found == nil {
		return fmt.Errorf("deleting floating IP %s: it does not exist", floatingIPUUID)
	}
	c.api.deleteFloatingIP(found)
	return nil
}

// DeleteRoute deletes a static route.
func (c *Control) DeleteRoute(routeUUID string) error {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	for _, v := range c.api.tables {
		if found := v.routeByUUID(routeUUID); found != nil {
			v.routes.Remove(found)
			return nil
		}
	}
	return fmt.Errorf("deleting route %s: it does not exist", routeUUID)
}

func targetsOf(views []Target) []sessionTarget {
	out := make([]sessionTarget, 0, len(views))
	for _, t := range views {
		out = append(out, sessionTarget{nicUUID: t.NIC, port: t.Port})
	}
	return out
}

// parsePorts parses a port or a range of ports, for example "80" or "80-90".
func parsePorts(text string) (portRange, error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return portRange{}, fmt.Errorf("reading ports %q: %w", text, err)
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		return portRange{}, fmt.Errorf("reading ports %q: %w", text, err)
	}
	return portRange{from, to}, nil
}

// asError converts a failure to an error. It returns nil if the failure is nil.
func (f *failure) asError(operation string) error {
	if f == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", strings.ToLower(operation), f.inTask(operation))
}
