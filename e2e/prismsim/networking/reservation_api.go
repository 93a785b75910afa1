package networking

import (
	"encoding/json"
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

// reservedIPsDetail is the name of a completion detail in tasks that reserve or unreserve addresses. The value is a
// JSON string that contains the addresses in reserved_ips or unreserved_ips, as recorded in pull request 1177 of
// nutanix.ansible.
const reservedIPsDetail = "reserved_or_unreserved_ips"

func (api *API) reserve(r *v4.Request) (*v4.Response, error) {
	var spec netconfig.IpReserveSpec
	if err := r.Decode(&spec); err != nil {
		return nil, err
	}
	want := addressSelection{count: int(wire.OrZero(spec.Count)), context: wire.OrZero(spec.ClientContext)}
	if spec.ReserveType != nil {
		want.by = spec.ReserveType.GetName()
	}
	if err := want.read("reserveType", spec.IpAddresses, spec.StartIpAddress, selectCount, selectList, selectRange); err != nil {
		return nil, err
	}
	return api.orderReservation(r, "reserved_ips", func(n *model.Subnet) ([]netip.Addr, *failure) {
		return reserve(n, want, api.rules.MaxReservedIPs)
	})
}

func (api *API) unreserve(r *v4.Request) (*v4.Response, error) {
	var spec netconfig.IpUnreserveSpec
	if err := r.Decode(&spec); err != nil {
		return nil, err
	}
	want := addressSelection{count: int(wire.OrZero(spec.Count)), context: wire.OrZero(spec.ClientContext)}
	if spec.UnreserveType != nil {
		want.by = spec.UnreserveType.GetName()
	}
	if err := want.read("unreserveType", spec.IpAddresses, spec.StartIpAddress, selectList, selectRange, selectContext); err != nil {
		return nil, err
	}
	return api.orderReservation(r, "unreserved_ips", func(n *model.Subnet) ([]netip.Addr, *failure) { return unreserve(n, want) })
}

// orderReservation starts a task that reserves or unreserves addresses. If the subnet does not exist, the task fails,
// as in public records.
func (api *API) orderReservation(r *v4.Request, key string, work func(*model.Subnet) ([]netip.Addr, *failure)) (*v4.Response, error) {
	const failing = "Reserve or Unreserve IP on Managed Subnet"
	id := r.PathValue("extId")
	api.Mu.Lock()
	defer api.Mu.Unlock()
	return api.order(r, change{
		operation: "kSubnetReserveIp", description: failing, failing: failing, kind: kindSubnet, uuid: id,
		work: func(t *model.Task) *failure {
			n := api.SubnetByUUID(id)
			if n == nil {
				return notFound("Existing subnet %s is not found", id)
			}
			addresses, failed := work(n)
			if failed != nil {
				return failed
			}
			value, err := json.Marshal(map[string][]netip.Addr{key: addresses})
			if err != nil {
				return invalid("%s", err)
			}
			t.Complete(reservedIPsDetail, string(value))
			return nil
		},
	})
}

// read reads the addresses of a selection and validates the properties that the method of selection requires.
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
	if err := checkEnum(kind, s.by, kinds...); err != nil {
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
	return checkRequired("", needs)
}

var reservedIPListing = v4.Listing{
	Filters: []string{"clientContext", "ipv4Address"},
	Orders:  []string{"clientContext", "ipv4Address"},
}

func (api *API) listReservedIPs(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	n := api.SubnetByUUID(r.PathValue("extId"))
	if n == nil {
		api.Mu.Unlock()
		return nil, notThere("List Reserved IPs of", kindSubnet, r.PathValue("extId"))
	}
	items := []v4.Object{}
	for _, a := range reservedAddresses(n) {
		item := v4.Typed(typeName("ReservedIp"), v4.Object{"ipv4Address": a.String()})
		if context := n.V4.Reservations[a]; context != "" {
			item["clientContext"] = context
		}
		items = append(items, item)
	}
	api.Mu.Unlock()
	return reservedIPListing.Respond(r, items)
}
