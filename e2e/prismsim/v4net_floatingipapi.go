package prismsim

import (
	"net/netip"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

var floatingIPListing = v4Listing{
	filters: []string{
		"extId", "name", "description", "externalSubnetReference", "vpcReference", "vmNicReference", "loadBalancerSessionReference",
		"privateIp", "floatingIpValue", "associationStatus",
	},
	orders:  []string{"extId", "name", "floatingIpValue", "privateIp"},
	expands: []string{"externalSubnet", "vpc"},
}

func (api *networkAPI) v4ListFloatingIPs(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, f := range api.floatingIPs.listed(api.rules.lag("floating_ip")) {
		items = append(items, api.floatingIPObject(r, f))
	}
	api.mu.Unlock()
	return floatingIPListing.answer(r, items)
}

// floatingIP finds the floating IP of a request; the caller holds the mutex.
func (api *networkAPI) floatingIP(r *v4Request, verb string) (*floatingIP, error) {
	id := r.PathValue("extId")
	if found := api.floatingIPByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, kindFloatingIP, id)
}

func (api *networkAPI) v4GetFloatingIP(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	found, err := api.floatingIP(r, "Get")
	if err != nil {
		return nil, err
	}
	data := api.floatingIPObject(r, found)
	return &v4Answer{data: data, etag: found.version.etag()}, nil
}

func (api *networkAPI) v4CreateFloatingIP(r *v4Request) (*v4Answer, error) {
	spec, err := readFloatingIP(r)
	if err != nil {
		return nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	return api.orderNet(r, creating(kindFloatingIP, spec.name, func(id string) *netFailure { return api.createFloatingIP(id, spec) }))
}

func (api *networkAPI) v4UpdateFloatingIP(r *v4Request) (*v4Answer, error) {
	spec, err := readFloatingIP(r)
	if err != nil {
		return nil, err
	}
	return api.changeFloatingIP(r, updating, "Update", func(found *floatingIP) *netFailure { return api.updateFloatingIP(found, spec) })
}

func (api *networkAPI) v4DeleteFloatingIP(r *v4Request) (*v4Answer, error) {
	return api.changeFloatingIP(r, deleting, "Delete", func(found *floatingIP) *netFailure {
		api.deleteFloatingIP(found)
		return nil
	})
}

func (api *networkAPI) changeFloatingIP(r *v4Request, kind changeMaker, verb string, work func(*floatingIP) *netFailure) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	found, err := api.floatingIP(r, verb)
	if err != nil {
		return nil, err
	}
	if err := api.netIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.orderNet(r, kind(kindFloatingIP, found.uuid, &found.queue, func() *netFailure {
		if api.floatingIPByUUID(found.uuid) == nil {
			return netNotFound("Floating IP %s not found", found.uuid)
		}
		return work(found)
	}))
}

// readFloatingIP reads a floating IP of a request; the schema requires a name.
func readFloatingIP(r *v4Request) (floatingIPSpec, error) {
	var in netconfig.FloatingIp
	if err := r.decode(&in); err != nil {
		return floatingIPSpec{}, err
	}
	if err := netRequired("", map[string]bool{"name": orZero(in.Name) != ""}); err != nil {
		return floatingIPSpec{}, err
	}
	out := floatingIPSpec{
		name: *in.Name, description: orZero(in.Description), subnetUUID: orZero(in.ExternalSubnetReference), metadata: in.Metadata,
	}
	if in.FloatingIp != nil && in.FloatingIp.Ipv4 != nil && in.FloatingIp.Ipv4.Value != nil {
		var err error
		if out.wantAddress, err = netip.ParseAddr(*in.FloatingIp.Ipv4.Value); err != nil {
			return out, invalidBody("floatingIp.ipv4.value", "%q is not a valid IP address", *in.FloatingIp.Ipv4.Value)
		}
	}
	return out, out.readAssociation(in.GetAssociation())
}

// readAssociation reads any of the three kinds; what they are called on the way is said by their $objectType.
func (spec *floatingIPSpec) readAssociation(in any) error {
	var err error
	switch in := in.(type) {
	case nil:
		return nil
	case netconfig.VmNicAssociation:
		spec.wanted = wantedAssociation{nicUUID: orZero(in.VmNicReference), vpcUUID: orZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	case netconfig.LoadBalancerSessionAssociation:
		spec.wanted = wantedAssociation{sessionUUID: orZero(in.LoadBalancerSessionReference), vpcUUID: orZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	case netconfig.PrivateIpAssociation:
		spec.wanted = wantedAssociation{vpcUUID: orZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	}
	if err != nil {
		return err
	}
	if spec.wanted.isEmpty() {
		return invalidBody("association", "one of vmNicReference, loadBalancerSessionReference and privateIp is needed")
	}
	return nil
}

// floatingIPObject writes a floating IP. Versions before 4.2 have no associationStatus.
func (api *networkAPI) floatingIPObject(r *v4Request, f *floatingIP) object {
	out := typed(netType("FloatingIp"), object{
		"extId": f.uuid, "name": f.name, "description": f.description, "externalSubnetReference": f.subnet.UUID,
		"floatingIp": typed(netType("FloatingIPAddress"), object{
			"ipv4": typed(netType("FloatingIPv4Address"), object{"value": f.address.String(), "prefixLength": f.address.BitLen()}),
		}),
		"floatingIpValue": f.address.String(), "metadata": api.netMetadata(f.metadata), "links": selfLinks(r, "config/floating-ips/"+f.uuid),
	})
	target := api.settle(f)
	status := "NOT_ASSOCIATED"
	if target.vpc != nil {
		private := target.privateIP()
		out["privateIp"], out["vpcReference"] = private.String(), target.vpc.UUID
		fields := object{"privateIp": addressObject(private), "vpcReference": target.vpc.UUID}
		kind := "PrivateIpAssociation"
		switch status = "ASSOCIATED_TO_PRIVATE_IP"; {
		case target.session != nil:
			kind, status = "LoadBalancerSessionAssociation", "ASSOCIATED_TO_LOAD_BALANCER_SESSION"
			fields["loadBalancerSessionReference"], out["loadBalancerSessionReference"] = target.session.uuid, target.session.uuid
		case target.nicUUID != "":
			kind, status = "VmNicAssociation", "ASSOCIATED_TO_VNIC"
			fields["vmNicReference"], out["vmNicReference"] = target.nicUUID, target.nicUUID
		}
		out["$associationItemDiscriminator"], out["association"] = netType(kind), typed(netType(kind), fields)
	}
	if r.minor >= 2 {
		out["associationStatus"] = status
	}
	switch expand := r.URL.Query().Get("$expand"); {
	case expand == "externalSubnet":
		out[expand] = api.subnetObject(r, f.subnet)
	case expand == "vpc" && target.vpc != nil:
		out[expand] = api.vpcObject(r, target.vpc)
	}
	return out
}
