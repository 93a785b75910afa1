package networking

import (
	"fmt"
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// session is a load balancer session of a VPC.
type session struct {
	sessionSpec
	uuid    string
	vip     netip.Addr
	vpc     *model.VPC
	subnet  *model.Subnet
	version model.Revision
	queue   model.TaskQueue
}

// sessionSpec contains the properties of a load balancer session in a request.
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

// portRange is an inclusive range of ports.
type portRange struct{ first, last int }

// wantedVIP is the virtual IP in a request: either any address of a subnet or a static address.
type wantedVIP struct {
	subnetUUID   string
	static       bool
	address      netip.Addr
	prefixLength int // prefix length of the address in the request; default 32
}

// healthCheck contains the settings of a health check. Times are in seconds.
type healthCheck struct{ interval, timeout, success, failure int }

// defaultHealthCheck contains the defaults that the documentation of nutanix.ansible lists for
// ntnx_load_balancer_session_v2.
var defaultHealthCheck = healthCheck{interval: 5, timeout: 2, success: 3, failure: 3}

type sessionTarget struct {
	nicUUID string
	port    int
}

// createSession creates a session and assigns a virtual IP to the session.
func (api *API) createSession(uuid string, spec sessionSpec) *failure {
	s := &session{sessionSpec: spec, uuid: uuid}
	if failed := limitFailure("load balancer sessions", len(api.sessions.All), 1, api.rules.MaxLoadBalancerSessions); failed != nil {
		return failed
	}
	if failed := api.checkSession(s, &spec); failed != nil {
		return failed
	}
	s.vpc, s.subnet = api.VPCByUUID(spec.vpcUUID), api.SubnetByUUID(spec.wantVIP.subnetUUID)
	if failed := api.placeVIP(s, spec); failed != nil {
		return failed
	}
	api.sessions.Add(s)
	return nil
}

// updateSession replaces the properties that can be changed. If the virtual IP changes from static to dynamic, the
// address stays the same.
func (api *API) updateSession(s *session, spec sessionSpec) *failure {
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
func (api *API) deleteSession(s *session) *failure {
	if fip := model.Find(api.floatingIPs.All, func(f *floatingIP) bool { return f.target.session == s }); fip != nil {
		if !api.rules.ReleaseFloatingIP {
			return inUse("Floating IP %s is associated with load balancer session %s", fip.uuid, s.uuid)
		}
		fip.target = association{}
		fip.version++
	}
	api.dropSession(s)
	return nil
}

// dropSession removes a session. It releases the virtual IP unless another session shares it.
func (api *API) dropSession(s *session) {
	api.sessions.Remove(s)
	api.freeVIP(s.subnet, s.vip)
}

func (api *API) sessionByUUID(uuid string) *session {
	return model.Find(api.sessions.All, func(s *session) bool { return s.uuid == uuid })
}

// checkSession validates all properties of a session except the virtual IP. s.vpc is nil for a new session.
func (api *API) checkSession(s *session, spec *sessionSpec) *failure {
	vpc := api.VPCByUUID(spec.vpcUUID)
	subnet := api.SubnetByUUID(spec.wantVIP.subnetUUID)
	switch {
	case vpc == nil:
		return notFound("VPC %s not found", spec.vpcUUID)
	case subnet == nil:
		return notFound("Subnet %s not found", spec.wantVIP.subnetUUID)
	case subnet.InVPC != vpc || subnet.V4 == nil:
		return invalid("Virtual IP subnet %s is not an overlay subnet of VPC %s", subnet.UUID, vpc.UUID)
	case s.vpc != nil && (s.vpc != vpc || s.subnet != subnet):
		return invalid("VPC and virtual IP subnet of load balancer session %s cannot be changed", s.uuid)
	}
	same := model.Find(api.sessions.All, func(o *session) bool { return o != s && o.name == spec.name && o.vpc == vpc })
	if same != nil && api.rules.UniqueNames {
		return conflict("Load balancer session with name %s already exists in VPC %s", spec.name, vpc.UUID)
	}
	return api.checkTargets(spec.targets, vpc)
}

func (api *API) checkTargets(targets []sessionTarget, vpc *model.VPC) *failure {
	seen, nics := map[string]bool{}, api.Attachments()
	for _, t := range targets {
		if seen[t.nicUUID] {
			return invalid("Virtual NIC %s appears more than once in the targets", t.nicUUID)
		}
		seen[t.nicUUID] = true
		if api.rules.AnyTarget {
			continue
		}
		at, ok := nics[t.nicUUID]
		if !ok {
			return notFound("Virtual NIC %s not found", t.nicUUID)
		}
		if at.Subnet.InVPC != vpc {
			return invalid("Virtual NIC %s is not on an overlay subnet of VPC %s", t.nicUUID, vpc.UUID)
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

// healthOf returns the UUID of a target's VM and reports whether the VM is on. If the NIC no longer exists, the UUID is
// empty.
func healthOf(t sessionTarget, nics map[string]model.Attachment) (vmUUID string, healthy bool) {
	at, ok := nics[t.nicUUID]
	if !ok {
		return "", false
	}
	return at.VM.UUID, at.VM.Power == wire.PowerOn
}
