package prismsim

// NetworkRules are the limits of the networking API, and choices where no public record says what a real Prism Central
// does. The zero value is the default; Server.SetNetworkRules and PUT /sim/network-rules change them at run time.
type NetworkRules struct {
	// ExclusiveVIP lets one load balancer session only have a virtual IP. By default several sessions may share one, with
	// different protocols or ports.
	ExclusiveVIP bool `json:"exclusiveVIP,omitempty"`
	// HiddenVIP leaves an address that was chosen by the system out of answers, as the one recorded answer to a create does.
	HiddenVIP bool `json:"hiddenVIP,omitempty"`
	// UniqueNames refuses a second load balancer session with the same name in a VPC.
	UniqueNames bool `json:"uniqueNames,omitempty"`
	// AnyTarget accepts NIC targets that are no NIC of a VM in the VPC; they are UNHEALTHY.
	AnyTarget bool `json:"anyTarget,omitempty"`
	// ReleaseFloatingIP lets a load balancer session go while a floating IP is associated with it, and ends the association.
	// By default the session is in use and cannot be deleted.
	ReleaseFloatingIP bool `json:"releaseFloatingIP,omitempty"`
	// NoAddressNextHop refuses routes whose next hop is an IP address.
	NoAddressNextHop bool `json:"noAddressNextHop,omitempty"`
	// OptionalIfMatch lets a PUT go without If-Match; then the last one wins.
	OptionalIfMatch bool `json:"optionalIfMatch,omitempty"`

	// Limits of all sessions, floating IPs and static routes, and of the reservations of each subnet; 0: none.
	MaxLoadBalancerSessions int `json:"maxLoadBalancerSessions,omitempty"`
	MaxFloatingIPs          int `json:"maxFloatingIPs,omitempty"`
	MaxRoutes               int `json:"maxRoutes,omitempty"`
	MaxReservedIPs          int `json:"maxReservedIPs,omitempty"`
}

// SetNetworkRules replaces the rules; what exists stays as it is.
func (c *networkControl) SetNetworkRules(rules NetworkRules) {
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	c.api.networkRules = rules
}

// NetworkRules gives the rules in force.
func (c *networkControl) NetworkRules() NetworkRules {
	c.api.mu.Lock()
	defer c.api.mu.Unlock()
	return c.api.networkRules
}
