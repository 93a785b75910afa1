package nutanix

import (
	"cmp"
	"context"
	"errors"
	"strings"

	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

const floatingIPPath = "/config/floating-ips"

var floatingIPKind = kind[networking.FloatingIp]{
	rel:      "floating-ip",
	uuid:     func(ip *networking.FloatingIp) string { return lower(ip.ExtId) },
	reserved: func(ip *networking.FloatingIp) map[string]any { return ip.Reserved_ },
}

// errTwoAssociations is about a request that is a mistake of the program.
var errTwoAssociations = errors.New("a floating IP is associated with a load balancer session or with a private IP, not with both")

// ListFloatingIPs implements FloatingIPs.
func (c *Client) ListFloatingIPs(ctx context.Context, namePrefix string) ([]FloatingIP, error) {
	return c.floatingIPs(ctx, "ListFloatingIPs", prismv4.StartsWith("name", namePrefix), func(ip *FloatingIP) bool {
		return strings.HasPrefix(ip.Name, namePrefix)
	})
}

func (c *Client) floatingIPs(ctx context.Context, operation string, where prismv4.Condition, keep func(*FloatingIP) bool) ([]FloatingIP, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.FloatingIp, FloatingIP]{
		Operation: operation, Namespace: prismv4.Networking, Path: floatingIPPath, Where: []prismv4.Condition{where}, Keep: keep, Key: floatingIPKind.uuid,
		Item: func(in *networking.FloatingIp) FloatingIP {
			return floatingIPOf(in, prismv4.ReservedETag(in.Reserved_))
		},
	})
}

// CreateFloatingIP implements FloatingIPs. Unavailable can mean that it was made and the answer lost: ListFloatingIPs shows
// it by its name.
func (c *Client) CreateFloatingIP(ctx context.Context, ip FloatingIP) (FloatingIP, error) {
	at := target{operation: "CreateFloatingIP", collection: floatingIPPath}
	body := networking.NewFloatingIp()
	if err := ip.write(body); err != nil {
		return FloatingIP{}, &Error{Operation: at.operation, Kind: Invalid, Cause: err}
	}
	made, etag, err := create(ctx, c, floatingIPKind, at, body, func() ([]string, error) {
		like, err := c.floatingIPs(ctx, at.operation, prismv4.Equals("name", ip.Name), func(one *FloatingIP) bool { return one.Name == ip.Name })
		return convert(like, func(one *FloatingIP) string { return one.UUID }), err
	})
	if err != nil {
		return FloatingIP{}, err
	}
	return floatingIPOf(made, etag), nil
}

// UpdateFloatingIP implements FloatingIPs.
func (c *Client) UpdateFloatingIP(ctx context.Context, ip FloatingIP) error {
	at := target{operation: "UpdateFloatingIP", collection: floatingIPPath, uuid: ip.UUID, etag: ip.ETag}
	return replace(ctx, c, floatingIPKind, at, ip.write)
}

// DeleteFloatingIP implements FloatingIPs.
func (c *Client) DeleteFloatingIP(ctx context.Context, ip FloatingIP) error {
	return remove(ctx, c, floatingIPKind, target{operation: "DeleteFloatingIP", collection: floatingIPPath, uuid: ip.UUID, etag: ip.ETag})
}

// write puts everything that we know of a floating IP into the vendor's model, and takes out what Prism Central derives
// from the association: left in, it would contradict a new one.
func (f FloatingIP) write(out *networking.FloatingIp) error {
	out.Name, out.Description, out.ExternalSubnetReference = ptr.To(f.Name), ptr.To(f.Description), ptr.To(f.ExternalSubnetUUID)
	if f.Address.IsValid() {
		address := networking.NewFloatingIPAddress()
		address.Ipv4 = networking.NewFloatingIPv4Address()
		address.Ipv4.Value, address.Ipv4.PrefixLength = ptr.To(f.Address.String()), nil
		out.FloatingIp = address
	}
	out.Association, out.AssociationItemDiscriminator_, out.AssociationStatus = nil, nil, nil
	out.LoadBalancerSessionReference, out.PrivateIp, out.VmNicReference, out.VpcReference = nil, nil, nil, nil
	out.ExternalSubnet, out.VmNic, out.Vpc = nil, nil, nil
	switch {
	case f.LoadBalancerSessionUUID != "" && f.PrivateIP.IsValid():
		return errTwoAssociations
	case f.LoadBalancerSessionUUID != "":
		association := networking.NewLoadBalancerSessionAssociation()
		association.LoadBalancerSessionReference = ptr.To(f.LoadBalancerSessionUUID)
		if f.VPCUUID != "" {
			association.VpcReference = ptr.To(f.VPCUUID)
		}
		return out.SetAssociation(*association)
	case f.PrivateIP.IsValid():
		association := networking.NewPrivateIpAssociation()
		association.PrivateIp, association.VpcReference = ipAddress(f.PrivateIP), ptr.To(f.VPCUUID)
		return out.SetAssociation(*association)
	}
	return nil
}

func floatingIPOf(in *networking.FloatingIp, etag string) FloatingIP {
	out := FloatingIP{
		UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), Description: ptr.Deref(in.Description, ""),
		ExternalSubnetUUID: lower(in.ExternalSubnetReference), Address: parseAddress(ptr.Deref(in.FloatingIpValue, "")),
		LoadBalancerSessionUUID: lower(in.LoadBalancerSessionReference), VPCUUID: lower(in.VpcReference), ETag: etag,
	}
	if in.FloatingIp != nil && in.FloatingIp.Ipv4 != nil && in.FloatingIp.Ipv4.Value != nil {
		out.Address = parseAddress(*in.FloatingIp.Ipv4.Value)
	}
	if in.Association == nil {
		return out
	}
	switch association := in.Association.GetValue().(type) {
	case networking.LoadBalancerSessionAssociation:
		out.LoadBalancerSessionUUID = lower(association.LoadBalancerSessionReference)
		out.VPCUUID = lower(cmp.Or(association.VpcReference, in.VpcReference))
	case networking.PrivateIpAssociation:
		out.PrivateIP, out.VPCUUID = addressOf(association.PrivateIp), lower(association.VpcReference)
	}
	return out
}
