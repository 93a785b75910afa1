package prismsim

import (
	"fmt"
	"net/netip"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// session is a load balancer session of a VPC.
type session struct {
	sessionSpec
	uuid    string
	vip     netip.Addr
	vpc     *privateCloud
	subnet  *network
	version revision
	queue   taskQueue
}

// sessionSpec is what a request says of a session.
type sessionSpec struct {
	name, description string
	vpcUUID           string
	protocol          string // TCP, UDP
	ports             []portRange
	wantVIP           wantedVIP
	health            healthCheck
	targets           []sessionTarget
	metadata          *commonconfig.Metadata
}

// portRange is inclusive.
type portRange struct{ first, last int }

// wantedVIP asks for an address of a subnet: a certain one when it is static.
type wantedVIP struct {
	subnetUUID   string
	static       bool
	address      netip.Addr
	prefixLength int // of the address in the request; 32 when left out
}

// healthCheck has times in seconds.
type healthCheck struct{ interval, timeout, success, failure int }

// defaultHealthCheck has the defaults of the API description (nutanix.ansible, ntnx_load_balancer_session_v2).
var defaultHealthCheck = healthCheck{interval: 5, timeout: 2, success: 3, failure: 3}

type sessionTarget struct {
	nicUUID string
	port    int
}

// createSession makes a session and takes its virtual IP.
func (api *networkAPI) createSession(uuid string, spec sessionSpec) *netFailure {
	s := &session{sessionSpec: spec, uuid: uuid}
	if failed := netLimit("load balancer sessions", len(api.sessions.all), 1, api.networkRules.MaxLoadBalancerSessions); failed != nil {
		return failed
	}
	if failed := api.checkSession(s, &spec); failed != nil {
		return failed
	}
	s.vpc, s.subnet = api.vpcByUUID(spec.vpcUUID), api.subnetByUUID(spec.wantVIP.subnetUUID)
	if failed := api.placeVIP(s, spec); failed != nil {
		return failed
	}
	api.sessions.add(s)
	return nil
}

// updateSession replaces what can be changed. A virtual IP that becomes dynamic stays the same.
func (api *networkAPI) updateSession(s *session, spec sessionSpec) *netFailure {
	if failed := api.checkSession(s, &spec); failed != nil {
		return failed
	}
	if failed := api.placeVIP(s, spec); failed != nil {
		return failed
	}
	s.sessionSpec = spec
	s.version++
	return nil
}

// deleteSession deletes a session unless a floating IP is associated with it.
func (api *networkAPI) deleteSession(s *session) *netFailure {
	if fip := find(api.floatingIPs.all, func(f *floatingIP) bool { return f.target.session == s }); fip != nil {
		if !api.networkRules.ReleaseFloatingIP {
			return netInUse("Floating IP %s is associated with load balancer session %s", fip.uuid, s.uuid)
		}
		fip.target = association{}
		fip.version++
	}
	api.dropSession(s)
	return nil
}

// dropSession forgets a session and frees its virtual IP unless another one shares it.
func (api *networkAPI) dropSession(s *session) {
	api.sessions.remove(s)
	api.freeVIP(s.subnet, s.vip)
}

func (api *networkAPI) sessionByUUID(uuid string) *session {
	return find(api.sessions.all, func(s *session) bool { return s.uuid == uuid })
}

// checkSession checks all but the virtual IP; a session that is new has no VPC yet.
func (api *networkAPI) checkSession(s *session, spec *sessionSpec) *netFailure {
	vpc := api.vpcByUUID(spec.vpcUUID)
	subnet := api.subnetByUUID(spec.wantVIP.subnetUUID)
	switch {
	case vpc == nil:
		return netNotFound("VPC %s not found", spec.vpcUUID)
	case subnet == nil:
		return netNotFound("Subnet %s not found", spec.wantVIP.subnetUUID)
	case subnet.vpc != vpc || subnet.v4 == nil:
		return netInvalid("Virtual IP subnet %s is not an overlay subnet of VPC %s", subnet.UUID, vpc.UUID)
	case s.vpc != nil && (s.vpc != vpc || s.subnet != subnet):
		return netInvalid("VPC and virtual IP subnet of load balancer session %s cannot be changed", s.uuid)
	}
	same := find(api.sessions.all, func(o *session) bool { return o != s && o.name == spec.name && o.vpc == vpc })
	if same != nil && api.networkRules.UniqueNames {
		return netConflict("Load balancer session with name %s already exists in VPC %s", spec.name, vpc.UUID)
	}
	return api.checkTargets(spec.targets, vpc)
}

func (api *networkAPI) checkTargets(targets []sessionTarget, vpc *privateCloud) *netFailure {
	seen, nics := map[string]bool{}, api.attachments()
	for _, t := range targets {
		if seen[t.nicUUID] {
			return netInvalid("Virtual NIC %s appears more than once in the targets", t.nicUUID)
		}
		seen[t.nicUUID] = true
		if api.networkRules.AnyTarget {
			continue
		}
		at, ok := nics[t.nicUUID]
		if !ok {
			return netNotFound("Virtual NIC %s not found", t.nicUUID)
		}
		if at.subnet.vpc != vpc {
			return netInvalid("Virtual NIC %s is not on an overlay subnet of VPC %s", t.nicUUID, vpc.UUID)
		}
	}
	return nil
}

func (r portRange) overlaps(other portRange) bool {
	return r.first <= other.last && other.first <= r.last
}

func (r portRange) String() string {
	if r.first == r.last {
		return fmt.Sprint(r.first)
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}

// without gives a list without an element.
