package prismsim

import (
	"net/netip"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// floatingIP is an address of an external subnet.
type floatingIP struct {
	floatingIPSpec
	uuid    string
	address netip.Addr
	subnet  *network
	target  association
	version revision
	queue   taskQueue
}

// floatingIPSpec is what a request says of a floating IP.
type floatingIPSpec struct {
	name, description string
	subnetUUID        string
	wantAddress       netip.Addr // invalid: any
	wanted            wantedAssociation
	metadata          *commonconfig.Metadata
}

// wantedAssociation is one of the three kinds of the API, or none of them.
type wantedAssociation struct {
	nicUUID, sessionUUID string
	privateIP            netip.Addr // alone, or a further condition of the two others
	vpcUUID              string     // likewise
}

// association is what a floating IP stands for. Without a VPC it stands for nothing.
type association struct {
	vpc     *privateCloud
	private netip.Addr // unless it is the virtual IP of a session
	nicUUID string
	session *session
}

// privateIP gives the address in the VPC; a session may get another one.
func (a association) privateIP() netip.Addr {
	if a.session != nil {
		return a.session.vip
	}
	return a.private
}

func (w wantedAssociation) isEmpty() bool {
	return w.nicUUID == "" && w.sessionUUID == "" && !w.privateIP.IsValid()
}

// createFloatingIP makes a floating IP and takes its address.
func (api *networkAPI) createFloatingIP(uuid string, spec floatingIPSpec) *netFailure {
	f := &floatingIP{floatingIPSpec: spec, uuid: uuid, subnet: api.subnetByUUID(spec.subnetUUID)}
	if failed := netLimit("floating IPs", len(api.floatingIPs.all), 1, api.networkRules.MaxFloatingIPs); failed != nil {
		return failed
	}
	switch {
	case f.subnet == nil:
		return netNotFound("External subnet %s not found", spec.subnetUUID)
	case !f.subnet.translates():
		return netInvalid("Subnet %s is not an external subnet with NAT", spec.subnetUUID)
	}
	target, failed := api.associate(f, spec.wanted)
	if failed != nil {
		return failed
	}
	if failed := f.takeAddress(); failed != nil {
		return failed
	}
	f.target = target
	api.floatingIPs.add(f)
	return nil
}

func (f *floatingIP) takeAddress() *netFailure {
	owner, pool := "floating IP "+f.uuid, f.subnet.v4
	if !f.wantAddress.IsValid() {
		taken, ok := pool.take(owner)
		if !ok {
			return netExhausted("No free IP addresses are left in the pools of external subnet %s", f.subnet.UUID)
		}
		f.address = taken
		return nil
	}
	if failed := reservable(f.subnet, f.wantAddress); failed != nil {
		return failed
	}
	pool.claim(f.wantAddress, owner)
	f.address = f.wantAddress
	return nil
}

// updateFloatingIP replaces name, description, metadata and association.
func (api *networkAPI) updateFloatingIP(f *floatingIP, spec floatingIPSpec) *netFailure {
	if spec.subnetUUID != f.subnet.UUID || (spec.wantAddress.IsValid() && spec.wantAddress != f.address) {
		return netInvalid("External subnet and address of floating IP %s cannot be changed", f.uuid)
	}
	target, failed := api.associate(f, spec.wanted)
	if failed != nil {
		return failed
	}
	f.floatingIPSpec, f.target = spec, target
	f.version++
	return nil
}

func (api *networkAPI) deleteFloatingIP(f *floatingIP) {
	api.floatingIPs.remove(f)
	f.subnet.v4.release("floating IP " + f.uuid)
}

func (api *networkAPI) floatingIPByUUID(uuid string) *floatingIP {
	return find(api.floatingIPs.all, func(f *floatingIP) bool { return f.uuid == uuid })
}

// associate finds what a floating IP is to stand for, and refuses what another one stands for or what the external subnet
// does not reach.
func (api *networkAPI) associate(f *floatingIP, want wantedAssociation) (association, *netFailure) {
	if want.isEmpty() {
		return association{}, nil
	}
	target, failed := api.resolve(want)
	if failed != nil {
		return target, failed
	}
	switch {
	case want.vpcUUID != "" && want.vpcUUID != target.vpc.UUID:
		return target, netInvalid("VPC %s is not the VPC %s of what is to be associated", want.vpcUUID, target.vpc.UUID)
	case want.privateIP.IsValid() && want.privateIP != target.privateIP():
		return target, netInvalid("Private IP %s is not the address %s of what is to be associated", want.privateIP, target.privateIP())
	case !target.vpc.reaches(f.subnet):
		return target, netInvalid("VPC %s is not attached to external subnet %s", target.vpc.UUID, f.subnet.UUID)
	}
	other := find(api.floatingIPs.all, func(o *floatingIP) bool {
		return o != f && o.target.vpc == target.vpc && o.target.privateIP() == target.privateIP()
	})
	if other != nil {
		return target, netConflict("Private IP %s of VPC %s is already in use by floating IP %s", target.privateIP(), target.vpc.UUID, other.uuid)
	}
	return target, nil
}

// resolve finds VPC and private address of what is wanted.
func (api *networkAPI) resolve(want wantedAssociation) (association, *netFailure) {
	switch {
	case want.sessionUUID != "":
		s := api.sessionByUUID(want.sessionUUID)
		if s == nil {
			return association{}, netNotFound("Load balancer session %s not found", want.sessionUUID)
		}
		return association{vpc: s.vpc, session: s}, nil
	case want.nicUUID != "":
		return api.resolveNIC(want.nicUUID)
	}
	vpc := api.vpcByUUID(want.vpcUUID)
	if vpc == nil {
		return association{}, netNotFound("VPC %s not found", want.vpcUUID)
	}
	if vpc.subnetOf(want.privateIP) == nil {
		return association{}, netInvalid("Private IP %s is in no subnet of VPC %s", want.privateIP, vpc.UUID)
	}
	return association{vpc: vpc, private: want.privateIP}, nil
}

func (api *networkAPI) resolveNIC(nicUUID string) (association, *netFailure) {
	at, ok := api.attachments()[nicUUID]
	if !ok {
		return association{}, netNotFound("VM NIC %s not found", nicUUID)
	}
	if at.subnet.vpc == nil || len(at.nic.IPEndpoints) == 0 {
		return association{}, netInvalid("VM NIC %s has no address in a VPC", nicUUID)
	}
	return association{vpc: at.subnet.vpc, private: mustAddress(at.nic.IPEndpoints[0].IP), nicUUID: nicUUID}, nil
}

// settle gives what a floating IP stands for; a NIC that is gone ends its association.
func (api *networkAPI) settle(f *floatingIP) association {
	if f.target.nicUUID != "" {
		if _, ok := api.attachments()[f.target.nicUUID]; !ok {
			f.target = association{}
			f.version++
		}
	}
	return f.target
}
