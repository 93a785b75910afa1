// Package nutanix is the cloud controller manager's view of Prism Central: one interface for each API that it needs, and types
// without the vendor's wrapping. It sends its requests with internal/prismv4.
//
// Every method sends requests to Prism Central. The context and the configured timeout both limit it. Lists are complete or an
// error, never a part. Methods that change something return when Prism Central's task has ended. Errors are
// *Error (see KindOf).
package nutanix

import (
	"context"
	"net/netip"
)

// API is all that is asked of Prism Central.
type API interface {
	VMs
	Infrastructure
	Categories
	Subnets
	LoadBalancerSessions
	FloatingIPs
	Routes
}

// PowerState is the power state of a virtual machine as Prism Central says it.
type PowerState string

// Power states of the vmm API. Prism Central may also leave the state out: "".
const (
	PowerOn           PowerState = "ON"
	PowerOff          PowerState = "OFF"
	PowerPaused       PowerState = "PAUSED"
	PowerUndetermined PowerState = "UNDETERMINED"
)

// VM is a virtual machine. UUIDs are in lower case everywhere in this package.
type VM struct {
	UUID, Name, BIOSUUID string
	PowerState           PowerState
	// CustomAttributes are "key:value" texts.
	CustomAttributes []string
	// PrismElementUUID and HostUUID say where it is; a VM that is off is on no host.
	PrismElementUUID, HostUUID              string
	Sockets, CoresPerSocket, ThreadsPerCore int
	MemoryBytes                             int64
	CategoryUUIDs                           []string
	NICs                                    []NIC
}

// NIC is a network interface, in the order of the virtual machine.
type NIC struct {
	UUID, SubnetUUID string
	// Primary is the configured address, if there is one; Secondary are further configured ones. Learned are those that
	// were seen on the wire, IPv4 and IPv6, in Prism Central's order; virtual IPs of others are among them.
	Primary            netip.Addr
	Secondary, Learned []netip.Addr
}

// VMFilter narrows a list of virtual machines. Empty fields do not narrow; several are combined with "and".
type VMFilter struct{ Name, BIOSUUID, CategoryUUID string }

// VMs is the part of the vmm API that is used.
type VMs interface {
	// VM asks for one virtual machine. NotFound means that Prism Central itself said, in its own words, that there is none:
	// the 404 of a proxy or a wrong path is Unavailable.
	VM(ctx context.Context, uuid string) (VM, error)
	ListVMs(ctx context.Context, filter VMFilter) ([]VM, error)
}

// PrismElement is a cluster that Prism Central manages, or the one that runs Prism Central itself.
type PrismElement struct {
	UUID, Name     string
	IsPrismCentral bool
	CategoryUUIDs  []string
}

// Host is a hypervisor host.
type Host struct{ UUID, Name, PrismElementUUID string }

// Infrastructure is the part of the clustermgmt API that is used.
type Infrastructure interface {
	ListPrismElements(ctx context.Context) ([]PrismElement, error)
	ListHosts(ctx context.Context) ([]Host, error)
}

// Category is one value of a category key.
type Category struct{ UUID, Key, Value string }

// Categories is the part of the prism API that is used.
type Categories interface {
	// ListCategories gives all values of a key, or of all keys when it is empty.
	ListCategories(ctx context.Context, key string) ([]Category, error)
}

// Subnet is a VLAN or overlay network.
type Subnet struct {
	UUID, Name string
	// VPCUUID is empty for a VLAN.
	VPCUUID string
	// IsExternal: a VPC reaches the outside through it; IsNAT: by translating addresses, so that floating IPs are taken from it.
	IsExternal, IsNAT bool
	// Prefix is its IPv4 range; invalid when Prism Central does not manage its addresses.
	Prefix netip.Prefix
}

// VPC is a virtual private cloud.
type VPC struct{ UUID, Name string }

// ReservedIP is an address that is kept out of automatic assignment.
type ReservedIP struct {
	Address netip.Addr
	// ClientContext is the text of who reserved it.
	ClientContext string
}

// Subnets is the part of the networking API about subnets, their address reservations and VPCs.
type Subnets interface {
	// ListSubnets and ListVPCs give those with exactly that name, or all when it is empty.
	ListSubnets(ctx context.Context, name string) ([]Subnet, error)
	ListVPCs(ctx context.Context, name string) ([]VPC, error)

	ListReservedIPs(ctx context.Context, subnetUUID string) ([]ReservedIP, error)
	// ReserveIP reserves one address, that one if it is valid and any free one otherwise. Exhausted: there is none.
	// Conflict: that one is taken.
	ReserveIP(ctx context.Context, subnetUUID string, address netip.Addr, clientContext string) (netip.Addr, error)
	// UnreserveIPs frees addresses. Those that are not reserved count as freed.
	UnreserveIPs(ctx context.Context, subnetUUID string, addresses ...netip.Addr) error
}

// Protocol of a listener.
type Protocol string

// Protocols of the networking API.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// LoadBalancerSession is one listener of a network load balancer with its targets. It exists in a VPC only.
type LoadBalancerSession struct {
	UUID, Name, Description string
	VPCUUID                 string
	Protocol                Protocol
	// Port is the first and only port of the listener.
	Port int
	// SubnetUUID is where the virtual IP is from; an invalid VirtualIP asks for a dynamic one.
	SubnetUUID string
	VirtualIP  netip.Addr
	// HealthCheck applies to every target.
	HealthCheck HealthCheck
	Targets     []Target
	// Odd is read-only: it has what is not said here, which an update takes away, such as further ports, targets by category, or an
	// address that is not fixed.
	Odd bool
	// ETag is the version that an update or a deletion refers to; empty when it was not read from Prism Central.
	ETag string
}

// HealthCheck says when a target gets traffic. Times are in seconds.
type HealthCheck struct{ IntervalSeconds, TimeoutSeconds, SuccessThreshold, FailureThreshold int }

// Target is a NIC that gets traffic on a port. Healthy is read-only and nil when unknown.
type Target struct {
	NICUUID string
	Port    int
	Healthy *bool
}

// LoadBalancerSessions is the part of the networking API about network load balancers.
type LoadBalancerSessions interface {
	// ListLoadBalancerSessions gives those whose name starts with a prefix.
	ListLoadBalancerSessions(ctx context.Context, namePrefix string) ([]LoadBalancerSession, error)
	// CreateLoadBalancerSession gives the session as Prism Central made it, with UUID and VirtualIP. A reply that is lost on
	// the way does not make a second one. Conflict: its virtual IP and port are taken. Exhausted: a limit is reached.
	CreateLoadBalancerSession(ctx context.Context, session LoadBalancerSession) (LoadBalancerSession, error)
	// UpdateLoadBalancerSession replaces the session that was read with that ETag. Stale: it was changed meanwhile.
	UpdateLoadBalancerSession(ctx context.Context, session LoadBalancerSession) error
	// DeleteLoadBalancerSession deletes it; NotFound when it is gone, Stale when it was changed meanwhile.
	DeleteLoadBalancerSession(ctx context.Context, session LoadBalancerSession) error
}

// FloatingIP is an address of an external subnet.
type FloatingIP struct {
	UUID, Name, Description string
	ExternalSubnetUUID      string
	// Address is given by Prism Central when it is invalid at creation.
	Address netip.Addr
	// LoadBalancerSessionUUID and PrivateIP (in VPCUUID) are what it is associated with: one of them, or none.
	LoadBalancerSessionUUID string
	PrivateIP               netip.Addr
	VPCUUID                 string
	ETag                    string
}

// FloatingIPs is the part of the networking API about floating IPs.
type FloatingIPs interface {
	// ListFloatingIPs gives those whose name starts with a prefix.
	ListFloatingIPs(ctx context.Context, namePrefix string) ([]FloatingIP, error)
	// CreateFloatingIP gives the floating IP as Prism Central made it. A reply that is lost on the way does not make a second one.
	CreateFloatingIP(ctx context.Context, ip FloatingIP) (FloatingIP, error)
	UpdateFloatingIP(ctx context.Context, ip FloatingIP) error
	DeleteFloatingIP(ctx context.Context, ip FloatingIP) error
}

// Route is a static route in the route table of a VPC to an address in it.
type Route struct {
	UUID, Name, Description string
	RouteTableUUID          string
	Destination             netip.Prefix
	// NextHop is invalid for routes whose next hop is no address (an external subnet, a VPN); those are never ours.
	NextHop netip.Addr
	// IsStatic is false for routes that Prism Central made by itself.
	IsStatic bool
	ETag     string
}

// Routes is the part of the networking API about route tables.
type Routes interface {
	// RouteTableOfVPC gives the UUID of the VPC's one route table.
	RouteTableOfVPC(ctx context.Context, vpcUUID string) (string, error)
	ListRoutes(ctx context.Context, routeTableUUID string) ([]Route, error)
	CreateRoute(ctx context.Context, route Route) (Route, error)
	UpdateRoute(ctx context.Context, route Route) error
	DeleteRoute(ctx context.Context, route Route) error
}
