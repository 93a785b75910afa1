package networking

// ReservedIP is a reserved address of a subnet.
type ReservedIP struct {
	Subnet        string `json:"subnet"` // name
	Address       string `json:"address"`
	ClientContext string `json:"clientContext,omitempty"`
}

// LoadBalancerSession is a copy of a load balancer session for tests.
type LoadBalancerSession struct {
	UUID        string   `json:"uuid"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	VPC         string   `json:"vpc"`    // name
	Subnet      string   `json:"subnet"` // name
	VirtualIP   string   `json:"virtualIP"`
	Static      bool     `json:"static"`   // true if the request specified the virtual IP
	Protocol    string   `json:"protocol"` // TCP, UDP
	Ports       []string `json:"ports"`    // "80" or "80-90"
	Targets     []Target `json:"targets"`
}

// Target is a target of a load balancer session: a NIC and a port.
type Target struct {
	NIC     string `json:"nic"`          // UUID
	VM      string `json:"vm,omitempty"` // UUID; empty if the NIC no longer exists
	Port    int    `json:"port"`
	Healthy bool   `json:"healthy"`
}

// FloatingIP is a copy of a floating IP for tests.
type FloatingIP struct {
	UUID      string `json:"uuid"`
	Name      string `json:"name"`
	Subnet    string `json:"subnet"` // name of the external subnet
	Address   string `json:"address"`
	PrivateIP string `json:"privateIP,omitempty"` // empty if not associated
	Session   string `json:"session,omitempty"`   // UUID; set for an association with a load balancer session
	NIC       string `json:"nic,omitempty"`       // UUID; set for an association with a NIC
}

// Route is a static route of a VPC.
type Route struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	VPC         string `json:"vpc"` // name
	Destination string `json:"destination"`
	NextHop     string `json:"nextHop"` // address or name of an external subnet
}

// State is the networking part of the response to GET /sim/state: the entities that clients have created, and the
// rules.
type State struct {
	ReservedIPs          []ReservedIP          `json:"reservedIPs"`
	LoadBalancerSessions []LoadBalancerSession `json:"loadBalancerSessions"`
	FloatingIPs          []FloatingIP          `json:"floatingIPs"`
	Routes               []Route               `json:"routes"`
	Rules                Rules                 `json:"rules"`
}

// State returns a copy of all entities and the rules.
func (c *Control) State() State {
	return State{
		ReservedIPs: c.ReservedIPs(""), LoadBalancerSessions: c.LoadBalancerSessions(), FloatingIPs: c.FloatingIPs(), Routes: c.Routes(),
		Rules: c.NetworkRules(),
	}
}

// ReservedIPs returns the reserved addresses of the subnet with the name or UUID, in ascending order. If subnet is
// empty, it returns the reserved addresses of all subnets.
func (c *Control) ReservedIPs(subnet string) []ReservedIP {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	out := []ReservedIP{}
	for _, n := range c.api.Subnets {
		if subnet != "" && n.Name != subnet && n.UUID != subnet {
			continue
		}
		for _, a := range reservedAddresses(n) {
			out = append(out, ReservedIP{Subnet: n.Name, Address: a.String(), ClientContext: n.V4.Reservations[a]})
		}
	}
	return out
}

// LoadBalancerSessions returns all sessions, oldest first.
func (c *Control) LoadBalancerSessions() []LoadBalancerSession {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	out, nics := []LoadBalancerSession{}, c.api.Attachments()
	for _, of := range c.api.sessions.All {
		view := LoadBalancerSession{
			UUID: of.uuid, Name: of.name, Description: of.description, VPC: of.vpc.Name, Subnet: of.subnet.Name, VirtualIP: of.vip.String(),
			Static: of.wantVIP.static, Protocol: of.protocol, Ports: []string{}, Targets: []Target{},
		}
		for _, p := range of.ports {
			view.Ports = append(view.Ports, p.String())
		}
		for _, t := range of.targets {
			vmUUID, healthy := healthOf(t, nics)
			view.Targets = append(view.Targets, Target{NIC: t.nicUUID, VM: vmUUID, Port: t.port, Healthy: healthy})
		}
		out = append(out, view)
	}
	return out
}

// FloatingIPs returns all floating IPs, oldest first.
func (c *Control) FloatingIPs() []FloatingIP {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	out := []FloatingIP{}
	for _, f := range c.api.floatingIPs.All {
		view := FloatingIP{UUID: f.uuid, Name: f.name, Subnet: f.subnet.Name, Address: f.address.String()}
		if target := c.api.settle(f); target.vpc != nil {
			view.PrivateIP, view.NIC = target.privateIP().String(), target.nicUUID
			if target.session != nil {
				view.Session = target.session.uuid
			}
		}
		out = append(out, view)
	}
	return out
}

// Routes returns the static routes of all VPCs, sorted by VPC and then by age.
func (c *Control) Routes() []Route {
	c.api.Mu.Lock()
	defer c.api.Mu.Unlock()
	out := []Route{}
	for _, v := range c.api.tables {
		for _, r := range v.routes.All {
			view := Route{UUID: r.uuid, Name: r.name, VPC: v.Name, Destination: r.destination.String(), NextHop: r.hop.address.String()}
			if r.hop.kind != hopAddress {
				view.NextHop = c.api.SubnetByUUID(r.hop.reference).Name
			}
			out = append(out, view)
		}
	}
	return out
}
