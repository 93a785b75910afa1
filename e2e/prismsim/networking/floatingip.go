package networking

import (
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// floatingIP is a floating IP: an address of an external subnet that can be associated with an address in a VPC.
type floatingIP struct {
	floatingIPSpec
	uuid    string
	address netip.Addr
	subnet  *model.Subnet
	target  association
	version model.Revision
	queue   model.TaskQueue
}

// floatingIPSpec contains the properties of a floating IP in a request.
type floatingIPSpec struct {
	name, description string
	subnetUUID        string
	wantAddress       netip.Addr // the zero address means any free address
	wanted            wantedAssociation
	metadata          *commonconfig.Metadata
}

// wantedAssociation is the association in a request. A floating IP can be associated with a session, a NIC, a private
// IP, or nothing.
type wantedAssociation struct {
	nicUUID, sessionUUID string
	privateIP            netip.Addr // private IP of the association; for a session or a NIC, the required address of the session or NIC
	vpcUUID              string     // VPC of the association; for a session or a NIC, the required VPC of the session or NIC
}

// association describes the load balancer session, NIC or private address that a floating IP is associated with. vpc is
// nil if the floating IP is not associated.
type association struct {
	vpc     *model.VPC
	private netip.Addr // not set for an association with a session
	nicUUID string
	session *session
}

// privateIP returns the associated address in the VPC. For a session it is the current virtual IP, which may change.
func (a association) privateIP() netip.Addr {
	if a.session != nil {
		return a.session.vip
	}
	return a.private
}

func (w wantedAssociation) isEmpty() bool {
	return w.nicUUID == "" && w.sessionUUID == "" && !w.privateIP.IsValid()
}

// createFloatingIP creates a floating IP and assigns its address.
func (api *API) createFloatingIP(uuid string, spec floatingIPSpec) *failure {
	f := &floatingIP{floatingIPSpec: spec, uuid: uuid, subnet: api.SubnetByUUID(spec.subnetUUID)}
	if failed := limitFailure("floating IPs", len(api.floatingIPs.All), 1, api.rules.MaxFloatingIPs); failed != nil {
		return failed
	}
	switch {
	case f.subnet == nil:
		return notFound("External subnet %s not found", spec.subnetUUID)
	case !f.subnet.Translates():
		return invalid("Subnet %s is not an external subnet with NAT", spec.subnetUUID)
	}
	target, failed := api.associate(f, spec.wanted)
	if failed != nil {
		return failed
	}
	if failed := f.takeAddress(); failed != nil {
		return failed
	}
	f.target = target
	api.floatingIPs.Add(f)
	return nil
}

func (f *floatingIP) takeAddress() *failure {
	owner, pool := "floating IP "+f.uuid, f.subnet.V4
	if !f.wantAddress.IsValid() {
		taken, ok := pool.Take(owner)
		if !ok {
			return exhausted("No free IP addresses are left in the pools of external subnet %s", f.subnet.UUID)
		}
		f.address = taken
		return nil
	}
	if failed := reservable(f.subnet, f.wantAddress); failed != nil {
		return failed
	}
	pool.Claim(f.wantAddress, owner)
	f.address = f.wantAddress
	return nil
}

// updateFloatingIP replaces the name, description, metadata and association.
func (api *API) updateFloatingIP(f *floatingIP, spec floatingIPSpec) *failure {
	if spec.subnetUUID != f.subnet.UUID || (spec.wantAddress.IsValid() && spec.wantAddress != f.address) {
		return invalid("External subnet and address of floating IP %s cannot be changed", f.uuid)
	}
	target, failed := api.associate(f, spec.wanted)
	if failed != nil {
		return failed
	}
	f.floatingIPSpec, f.target = spec, target
	f.version++
	return nil
}

func (api *API) deleteFloatingIP(f *floatingIP) {
	api.floatingIPs.Remove(f)
	f.subnet.V4.Release("floating IP " + f.uuid)
}

func (api *API) floatingIPByUUID(uuid string) *floatingIP {
	return model.Find(api.floatingIPs.All, func(f *floatingIP) bool { return f.uuid == uuid })
}

// associate resolves the wanted association of a floating IP. It returns a failure if another floating IP has the same
// association, or if the floating IP's subnet is not an external subnet of the VPC.
func (api *API) associate(f *floatingIP, want wantedAssociation) (association, *failure) {
	if want.isEmpty() {
		return association{}, nil
	}
	target, failed := api.resolve(want)
	if failed != nil {
		return target, failed
	}
	switch {
	case want.vpcUUID != "" && want.vpcUUID != target.vpc.UUID:
		return target, invalid("VPC %s is not the VPC %s of what is to be associated", want.vpcUUID, target.vpc.UUID)
	case want.privateIP.IsValid() && want.privateIP != target.privateIP():
		return target, invalid("Private IP %s is not the address %s of what is to be associated", want.privateIP, target.privateIP())
	case !target.vpc.Reaches(f.subnet):
		return target, invalid("VPC %s is not attached to external subnet %s", target.vpc.UUID, f.subnet.UUID)
	}
	other := model.Find(api.floatingIPs.All, func(o *floatingIP) bool {
		return o != f && o.target.vpc == target.vpc && o.target.privateIP() == target.privateIP()
	})
	if other != nil {
		return target, conflict("Private IP %s of VPC %s is already in use by floating IP %s", target.privateIP(), target.vpc.UUID, other.uuid)
	}
	return target, nil
}

// resolve returns the VPC and the private address of a wanted association.
func (api *API) resolve(want wantedAssociation) (association, *failure) {
	switch {
	case want.sessionUUID != "":
		s := api.sessionByUUID(want.sessionUUID)
		if s == nil {
			return association{}, notFound("Load balancer session %s not found", want.sessionUUID)
		}
		return association{vpc: s.vpc, session: s}, nil
	case want.nicUUID != "":
		return api.resolveNIC(want.nicUUID)
	}
	vpc := api.VPCByUUID(want.vpcUUID)
	if vpc == nil {
		return association{}, notFound("VPC %s not found", want.vpcUUID)
	}
	if vpc.SubnetOf(want.privateIP) == nil {
		return association{}, invalid("Private IP %s is in no subnet of VPC %s", want.privateIP, vpc.UUID)
	}
	return association{vpc: vpc, private: want.privateIP}, nil
}

func (api *API) resolveNIC(nicUUID string) (association, *failure) {
	at, ok := api.Attachments()[nicUUID]
	if !ok {
		return association{}, notFound("VM NIC %s not found", nicUUID)
	}
	if at.Subnet.InVPC == nil || len(at.NIC.IPEndpoints) == 0 {
		return association{}, invalid("VM NIC %s has no address in a VPC", nicUUID)
	}
	return association{vpc: at.Subnet.InVPC, private: ipam.Address(at.NIC.IPEndpoints[0].IP), nicUUID: nicUUID}, nil
}

// settle returns the association of a floating IP. If the floating IP is associated with a NIC that no longer exists,
// settle ends the association.
func (api *API) settle(f *floatingIP) association {
	if f.target.nicUUID != "" {
		if _, ok := api.Attachments()[f.target.nicUUID]; !ok {
			f.target = association{}
			f.version++
		}
	}
	return f.target
}
