package networking

import (
	"net/netip"

	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

var floatingIPListing = v4.Listing{
	Filters: []string{
		"extId", "name", "description", "externalSubnetReference", "vpcReference", "vmNicReference", "loadBalancerSessionReference",
		"privateIp", "floatingIpValue", "associationStatus",
	},
	Orders:  []string{"extId", "name", "floatingIpValue", "privateIp"},
	Expands: []string{"externalSubnet", "vpc"},
}

func (api *API) listFloatingIPs(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, f := range api.floatingIPs.Listed(api.Rules.Lag("floating_ip")) {
		items = append(items, api.floatingIPObject(r, f))
	}
	api.Mu.Unlock()
	return floatingIPListing.Respond(r, items)
}

// floatingIP returns the floating IP with the ID in the path of a request. The caller must hold the mutex.
func (api *API) floatingIP(r *v4.Request, verb string) (*floatingIP, error) {
	id := r.PathValue("extId")
	if found := api.floatingIPByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, kindFloatingIP, id)
}

func (api *API) getFloatingIP(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found, err := api.floatingIP(r, "Get")
	if err != nil {
		return nil, err
	}
	data := api.floatingIPObject(r, found)
	return &v4.Response{Data: data, ETag: found.version.ETag()}, nil
}

func (api *API) handleCreateFloatingIP(r *v4.Request) (*v4.Response, error) {
	spec, err := readFloatingIP(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	return api.order(r, creating(kindFloatingIP, spec.name, func(id string) *failure { return api.createFloatingIP(id, spec) }))
}

func (api *API) handleUpdateFloatingIP(r *v4.Request) (*v4.Response, error) {
	spec, err := readFloatingIP(r)
	if err != nil {
		return nil, err
	}
	return api.changeFloatingIP(r, updating, "Update", func(found *floatingIP) *failure { return api.updateFloatingIP(found, spec) })
}

func (api *API) handleDeleteFloatingIP(r *v4.Request) (*v4.Response, error) {
	return api.changeFloatingIP(r, deleting, "Delete", func(found *floatingIP) *failure {
		api.deleteFloatingIP(found)
		return nil
	})
}

func (api *API) changeFloatingIP(r *v4.Request, kind changeMaker, verb string, work func(*floatingIP) *failure) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found, err := api.floatingIP(r, verb)
	if err != nil {
		return nil, err
	}
	if err := api.checkIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.order(r, kind(kindFloatingIP, found.uuid, &found.queue, func() *failure {
		if api.floatingIPByUUID(found.uuid) == nil {
			return notFound("Floating IP %s not found", found.uuid)
		}
		return work(found)
	}))
}

// readFloatingIP reads the floating IP in a request. The schema of the API requires a name.
func readFloatingIP(r *v4.Request) (floatingIPSpec, error) {
	var in netconfig.FloatingIp
	if err := r.Decode(&in); err != nil {
		return floatingIPSpec{}, err
	}
	if err := checkRequired("", map[string]bool{"name": wire.OrZero(in.Name) != ""}); err != nil {
		return floatingIPSpec{}, err
	}
	out := floatingIPSpec{
		name: *in.Name, description: wire.OrZero(in.Description), subnetUUID: wire.OrZero(in.ExternalSubnetReference), metadata: in.Metadata,
	}
	if in.FloatingIp != nil && in.FloatingIp.Ipv4 != nil && in.FloatingIp.Ipv4.Value != nil {
		var err error
		if out.wantAddress, err = netip.ParseAddr(*in.FloatingIp.Ipv4.Value); err != nil {
			return out, v4.InvalidBody("floatingIp.ipv4.value", "%q is not a valid IP address", *in.FloatingIp.Ipv4.Value)
		}
	}
	return out, out.readAssociation(in.GetAssociation())
}

// readAssociation reads the association of a floating IP. The property $objectType contains the type of the
// association.
func (spec *floatingIPSpec) readAssociation(in any) error {
	var err error
	switch in := in.(type) {
	case nil:
		return nil
	case netconfig.VmNicAssociation:
		spec.wanted = wantedAssociation{nicUUID: wire.OrZero(in.VmNicReference), vpcUUID: wire.OrZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	case netconfig.LoadBalancerSessionAssociation:
		spec.wanted = wantedAssociation{sessionUUID: wire.OrZero(in.LoadBalancerSessionReference), vpcUUID: wire.OrZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	case netconfig.PrivateIpAssociation:
		spec.wanted = wantedAssociation{vpcUUID: wire.OrZero(in.VpcReference)}
		spec.wanted.privateIP, _, err = readAddress("association.privateIp", in.PrivateIp)
	}
	if err != nil {
		return err
	}
	if spec.wanted.isEmpty() {
		return v4.InvalidBody("association", "one of vmNicReference, loadBalancerSessionReference and privateIp is needed")
	}
	return nil
}

// floatingIPObject returns a floating IP in the format of the requested API version. Versions before v4.2 do not
// contain associationStatus.
func (api *API) floatingIPObject(r *v4.Request, f *floatingIP) v4.Object {
	out := v4.Typed(typeName("FloatingIp"), v4.Object{
		"extId": f.uuid, "name": f.name, "description": f.description, "externalSubnetReference": f.subnet.UUID,
		"floatingIp": v4.Typed(typeName("FloatingIPAddress"), v4.Object{
			"ipv4": v4.Typed(typeName("FloatingIPv4Address"), v4.Object{"value": f.address.String(), "prefixLength": f.address.BitLen()}),
		}),
		"floatingIpValue": f.address.String(), "metadata": api.metadataObject(f.metadata), "links": v4.SelfLinks(r, "config/floating-ips/"+f.uuid),
	})
	target := api.settle(f)
	status := "NOT_ASSOCIATED"
	if target.vpc != nil {
		private := target.privateIP()
		out["privateIp"], out["vpcReference"] = private.String(), target.vpc.UUID
		fields := v4.Object{"privateIp": addressObject(private), "vpcReference": target.vpc.UUID}
		kind := "PrivateIpAssociation"
		switch status = "ASSOCIATED_TO_PRIVATE_IP"; {
		case target.session != nil:
			kind, status = "LoadBalancerSessionAssociation", "ASSOCIATED_TO_LOAD_BALANCER_SESSION"
			fields["loadBalancerSessionReference"], out["loadBalancerSessionReference"] = target.session.uuid, target.session.uuid
		case target.nicUUID != "":
			kind, status = "VmNicAssociation", "ASSOCIATED_TO_VNIC"
			fields["vmNicReference"], out["vmNicReference"] = target.nicUUID, target.nicUUID
		}
		out["$associationItemDiscriminator"], out["association"] = typeName(kind), v4.Typed(typeName(kind), fields)
	}
	if r.Minor >= 2 {
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
