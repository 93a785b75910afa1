package nutanix

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	common "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

// reservedDetail is the completion detail of a task that reserved or freed addresses. Its value is a text of JSON with one
// of two keys: reserved_ips after reserving, unreserved_ips after freeing. Whoever reads the wrong one finds no address and
// leaks the one that was reserved.
const reservedDetail = "reserved_or_unreserved_ips"

func subnetPath(operation, uuid, below string) (string, error) {
	id, err := prismv4.Segment(operation, uuid)
	return "/config/subnets/" + id + below, err
}

// ListReservedIPs implements Subnets. Addresses that are no IPv4 addresses do not occur in the API.
func (c *Client) ListReservedIPs(ctx context.Context, subnetUUID string) ([]ReservedIP, error) {
	return c.reservedIPs(ctx, "ListReservedIPs", subnetUUID)
}

func (c *Client) reservedIPs(ctx context.Context, operation, subnetUUID string) ([]ReservedIP, error) {
	path, err := subnetPath(operation, subnetUUID, "/reserved-ips")
	if err != nil {
		return nil, err
	}
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.ReservedIp, ReservedIP]{
		Operation: operation, Namespace: prismv4.Networking, Path: path,
		Key: func(reserved *networking.ReservedIp) string { return ptr.Deref(reserved.Ipv4Address, "") },
		Item: func(in *networking.ReservedIp) ReservedIP {
			return ReservedIP{Address: parseAddress(ptr.Deref(in.Ipv4Address, "")), ClientContext: ptr.Deref(in.ClientContext, "")}
		},
	})
}

// ReserveIP implements Subnets. Unavailable can mean that an address was reserved and its answer lost: ListReservedIPs shows
// it by its client context.
func (c *Client) ReserveIP(ctx context.Context, subnetUUID string, address netip.Addr, clientContext string) (netip.Addr, error) {
	const operation = "ReserveIP"
	path, err := subnetPath(operation, subnetUUID, "/addresses/$actions/reserve")
	if err != nil {
		return netip.Addr{}, err
	}
	spec := networking.NewIpReserveSpec()
	spec.ClientContext = ptr.To(clientContext)
	if address.IsValid() {
		spec.ReserveType = networking.RESERVETYPE_IP_ADDRESS_LIST.Ref()
		spec.IpAddresses = []common.IPAddress{*ipAddress(address)}
	} else {
		spec.ReserveType = networking.RESERVETYPE_IP_ADDRESS_COUNT.Ref()
		spec.Count = ptr.To(int64(1))
	}
	done, err := c.prism.Apply(ctx, prismv4.Change{Operation: operation, Method: http.MethodPost, Namespace: prismv4.Networking, Path: path, Body: spec, Object: subnetUUID})
	if err != nil {
		return netip.Addr{}, err
	}
	return reservedBy(operation, done, address)
}

// reservedBy reads which address a task reserved.
func reservedBy(operation string, done prismv4.Task, asked netip.Addr) (netip.Addr, error) {
	text, _ := done.Detail(reservedDetail)
	var result struct {
		Reserved []string `json:"reserved_ips"`
	}
	err := json.Unmarshal([]byte(text), &result)
	if err == nil && len(result.Reserved) == 1 {
		got := parseAddress(result.Reserved[0])
		if got.IsValid() && (!asked.IsValid() || got == asked.Unmap()) {
			return got, nil
		}
	}
	return netip.Addr{}, &Error{
		Operation: operation, Kind: Unavailable, Cause: err,
		Message: fmt.Sprintf("task %s has reserved an address and does not say which one in %s: %q", done.UUID, reservedDetail, text),
	}
}

// UnreserveIPs implements Subnets. A request that fails frees nothing, also when only one of its addresses is not reserved;
// how Prism Central words that is not documented, so the list of what is reserved decides.
func (c *Client) UnreserveIPs(ctx context.Context, subnetUUID string, addresses ...netip.Addr) error {
	if len(addresses) == 0 {
		return nil
	}
	err := c.unreserve(ctx, subnetUUID, addresses)
	switch KindOf(err) {
	case "", NotFound, Unauthorized, Forbidden:
		return err
	}
	reserved, listErr := c.reservedIPs(ctx, "UnreserveIPs", subnetUUID)
	if listErr != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(addresses), func(address netip.Addr) bool {
		return !slices.ContainsFunc(reserved, func(ip ReservedIP) bool { return ip.Address == address.Unmap() })
	})
	switch len(left) {
	case 0:
		return nil
	case len(addresses):
		return err
	}
	return c.unreserve(ctx, subnetUUID, left)
}

func (c *Client) unreserve(ctx context.Context, subnetUUID string, addresses []netip.Addr) error {
	const operation = "UnreserveIPs"
	path, err := subnetPath(operation, subnetUUID, "/addresses/$actions/unreserve")
	if err != nil {
		return err
	}
	spec := networking.NewIpUnreserveSpec()
	spec.UnreserveType = networking.UNRESERVETYPE_IP_ADDRESS_LIST.Ref()
	for _, address := range addresses {
		spec.IpAddresses = append(spec.IpAddresses, *ipAddress(address))
	}
	_, err = c.prism.Apply(ctx, prismv4.Change{Operation: operation, Method: http.MethodPost, Namespace: prismv4.Networking, Path: path, Body: spec, Object: subnetUUID})
	return err
}
