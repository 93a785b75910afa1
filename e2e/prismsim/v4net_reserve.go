package prismsim

import (
	"encoding/json"
	"net/netip"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

// reservedIPsDetail names the completion detail of tasks that reserve or free addresses. Its value is JSON text with the
// addresses under reserved_ips or unreserved_ips (recorded in nutanix.ansible, pull request 1177).
const reservedIPsDetail = "reserved_or_unreserved_ips"

func (api *networkAPI) v4Reserve(r *v4Request) (*v4Answer, error) {
	var spec netconfig.IpReserveSpec
	if err := r.decode(&spec); err != nil {
		return nil, err
	}
	want := addressSelection{count: int(orZero(spec.Count)), context: orZero(spec.ClientContext)}
	if spec.ReserveType != nil {
		want.by = spec.ReserveType.GetName()
	}
	if err := want.read("reserveType", spec.IpAddresses, spec.StartIpAddress, selectCount, selectList, selectRange); err != nil {
		return nil, err
	}
	return api.orderReservation(r, "reserved_ips", func(n *network) ([]netip.Addr, *netFailure) {
		return reserve(n, want, api.networkRules.MaxReservedIPs)
	})
}

func (api *networkAPI) v4Unreserve(r *v4Request) (*v4Answer, error) {
	var spec netconfig.IpUnreserveSpec
	if err := r.decode(&spec); err != nil {
		return nil, err
	}
	want := addressSelection{count: int(orZero(spec.Count)), context: orZero(spec.ClientContext)}
	if spec.UnreserveType != nil {
		want.by = spec.UnreserveType.GetName()
	}
	if err := want.read("unreserveType", spec.IpAddresses, spec.StartIpAddress, selectList, selectRange, selectContext); err != nil {
		return nil, err
	}
	return api.orderReservation(r, "unreserved_ips", func(n *network) ([]netip.Addr, *netFailure) { return unreserve(n, want) })
}

// orderReservation starts the task. That the subnet does not exist is found out by the task, as on record.
func (api *networkAPI) orderReservation(r *v4Request, key string, work func(*network) ([]netip.Addr, *netFailure)) (*v4Answer, error) {
	const failing = "Reserve or Unreserve IP on Managed Subnet"
	id := r.PathValue("extId")
	api.mu.Lock()
	defer api.mu.Unlock()
	return api.orderNet(r, netChange{
		operation: "kSubnetReserveIp", description: failing, failing: failing, kind: kindSubnet, uuid: id,
		work: func(t *task) *netFailure {
			n := api.subnetByUUID(id)
			if n == nil {
				return netNotFound("Existing subnet %s is not found", id)
			}
			addresses, failed := work(n)
			if failed != nil {
				return failed
			}
			value, err := json.Marshal(map[string][]netip.Addr{key: addresses})
			if err != nil {
				return netInvalid("%s", err)
			}
			t.complete(reservedIPsDetail, string(value))
			return nil
		},
	})
}

// read checks what the kind of selection needs and reads the addresses.
func (s *addressSelection) read(kind string, list []commonconfig.IPAddress, start *commonconfig.IPAddress, kinds ...string) error {
	for i := range list {
		a, _, err := readAddress("ipAddresses", &list[i])
		if err != nil {
			return err
		}
		s.addresses = append(s.addresses, a)
	}
	var err error
	if s.start, _, err = readAddress("startIpAddress", start); err != nil {
		return err
	}
	if err := netEnum(kind, s.by, kinds...); err != nil {
		return err
	}
	needs := map[string]bool{}
	switch s.by {
	case selectCount:
		needs["count"] = s.count > 0
	case selectList:
		needs["ipAddresses"] = len(s.addresses) > 0
	case selectRange:
		needs["count"], needs["startIpAddress"] = s.count > 0, s.start.IsValid()
	case selectContext:
		needs["clientContext"] = s.context != ""
	}
	return netRequired("", needs)
}

var reservedIPListing = v4Listing{
	filters: []string{"clientContext", "ipv4Address"},
	orders:  []string{"clientContext", "ipv4Address"},
}

func (api *networkAPI) v4ListReservedIPs(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	n := api.subnetByUUID(r.PathValue("extId"))
	if n == nil {
		api.mu.Unlock()
		return nil, notThere("List Reserved IPs of", kindSubnet, r.PathValue("extId"))
	}
	items := []object{}
	for _, a := range reservedAddresses(n) {
		item := typed(netType("ReservedIp"), object{"ipv4Address": a.String()})
		if context := n.v4.reservations[a]; context != "" {
			item["clientContext"] = context
		}
		items = append(items, item)
	}
	api.mu.Unlock()
	return reservedIPListing.answer(r, items)
}
