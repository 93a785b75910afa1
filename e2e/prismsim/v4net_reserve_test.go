package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

func reserveCount(count int64, context string) *netcfg.IpReserveSpec {
	out := netcfg.NewIpReserveSpec()
	out.ReserveType, out.Count, out.ClientContext = netcfg.RESERVETYPE_IP_ADDRESS_COUNT.Ref(), &count, &context
	return out
}

func reserveList(context string, addresses ...string) *netcfg.IpReserveSpec {
	out := netcfg.NewIpReserveSpec()
	out.ReserveType, out.ClientContext = netcfg.RESERVETYPE_IP_ADDRESS_LIST.Ref(), &context
	for _, a := range addresses {
		out.IpAddresses = append(out.IpAddresses, *ipv4(a))
	}
	return out
}

func reserveRange(context, start string, count int64) *netcfg.IpReserveSpec {
	out := netcfg.NewIpReserveSpec()
	out.ReserveType, out.ClientContext = netcfg.RESERVETYPE_IP_ADDRESS_RANGE.Ref(), &context
	out.StartIpAddress, out.Count = ipv4(start), &count
	return out
}

func unreserve(kind netcfg.UnreserveType, change func(*netcfg.IpUnreserveSpec)) *netcfg.IpUnreserveSpec {
	out := netcfg.NewIpUnreserveSpec()
	out.UnreserveType = kind.Ref()
	change(out)
	return out
}

func byContext(context string) *netcfg.IpUnreserveSpec {
	return unreserve(netcfg.UNRESERVETYPE_CONTEXT, func(s *netcfg.IpUnreserveSpec) { s.ClientContext = &context })
}

func byList(addresses ...string) *netcfg.IpUnreserveSpec {
	return unreserve(netcfg.UNRESERVETYPE_IP_ADDRESS_LIST, func(s *netcfg.IpUnreserveSpec) {
		for _, a := range addresses {
			s.IpAddresses = append(s.IpAddresses, *ipv4(a))
		}
	})
}

func byRange(start string, count int64) *netcfg.IpUnreserveSpec {
	return unreserve(netcfg.UNRESERVETYPE_IP_ADDRESS_RANGE, func(s *netcfg.IpUnreserveSpec) { s.StartIpAddress, s.Count = ipv4(start), &count })
}

// addresses returns the addresses in the only completion detail of a task.
func addresses(t *testing.T, task tasks.Task, key string) []string {
	t.Helper()
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, failure(task))
	require.Len(t, task.CompletionDetails, 1)
	assert.Equal(t, "reserved_or_unreserved_ips", *task.CompletionDetails[0].Name)
	text, isText := task.CompletionDetails[0].Value.GetValue().(string)
	require.True(t, isText)
	var value map[string][]string
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	require.Contains(t, value, key)
	assert.Len(t, value, 1)
	return value[key]
}

func TestReservingByCountListAndRange(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vlan := f.id("subnet", "vlan")
	task := f.waitForTask(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("cluster/list", "127.60.11.10", "127.60.11.77")))
	assert.Equal(t, []string{"127.60.11.10", "127.60.11.77"}, addresses(t, task, "reserved_ips"))
	assert.Equal(t, "kSubnetReserveIp", *task.Operation)
	assert.Equal(t, "networking:config:subnet", *task.EntitiesAffected[0].Rel)
	assert.Equal(t, *vlan, *task.EntitiesAffected[0].ExtId)

	task = f.waitForTask(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(2, "cluster/count")))
	assert.Equal(t, []string{"127.60.11.11", "127.60.11.12"}, addresses(t, task, "reserved_ips"), "the lowest that are free")
	task = f.waitForTask(f.reservations.ReserveIpsBySubnetId(vlan, reserveRange("cluster/range", "127.60.11.20", 2)))
	assert.Equal(t, []string{"127.60.11.20", "127.60.11.21"}, addresses(t, task, "reserved_ips"))

	list, err := f.reservations.ListReservedIpsBySubnetId(vlan, nil, nil, ptr("clientContext eq 'cluster/count'"), nil, nil)
	require.NoError(t, err)
	got := list.GetData().([]netcfg.ReservedIp)
	require.Len(t, got, 2)
	assert.Equal(t, "127.60.11.11 cluster/count", *got[0].Ipv4Address+" "+*got[0].ClientContext)
	assert.Nil(t, got[0].ExtId)

	assert.Len(t, f.server.ReservedIPs("vlan"), 6)
	assert.Len(t, f.server.ReservedIPs(*vlan), 6)
	assert.Empty(t, f.server.ReservedIPs("blue-vips"))
	assert.Equal(t, prismsim.ReservedIP{Subnet: "vlan", Address: "127.60.11.10", ClientContext: "cluster/list"}, f.server.ReservedIPs("")[0])
}

func TestUnreservingByContextListAndRange(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vlan := f.id("subnet", "vlan")
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(2, "one")))
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveRange("two", "127.60.11.50", 4)))

	task := f.waitForTask(f.reservations.UnreserveIpsBySubnetId(vlan, byContext("one")))
	assert.Equal(t, []string{"127.60.11.10", "127.60.11.11"}, addresses(t, task, "unreserved_ips"))
	task = f.waitForTask(f.reservations.UnreserveIpsBySubnetId(vlan, byList("127.60.11.50", "127.60.11.99")))
	assert.Equal(t, []string{"127.60.11.50"}, addresses(t, task, "unreserved_ips"), "of a list only what is reserved")
	task = f.waitForTask(f.reservations.UnreserveIpsBySubnetId(vlan, byRange("127.60.11.51", 2)))
	assert.Equal(t, []string{"127.60.11.51", "127.60.11.52"}, addresses(t, task, "unreserved_ips"))
	task = f.waitForTask(f.reservations.UnreserveIpsBySubnetId(vlan, byRange("127.60.11.51", 2)))
	assert.Empty(t, addresses(t, task, "unreserved_ips"))
	assert.Len(t, f.server.ReservedIPs("vlan"), 1)

	f.fails(invalid, "No IP addresses exist with context: one")(f.reservations.UnreserveIpsBySubnetId(vlan, byContext("one")))
	f.fails(invalid, "are not reserved")(f.reservations.UnreserveIpsBySubnetId(vlan, byList("127.60.11.51")))
	f.fails(notFound, "Failed to Reserve or Unreserve IP on Managed Subnet as a referenced resource was not found - Existing subnet "+unknown+" is not found")(
		f.reservations.UnreserveIpsBySubnetId(ptr(unknown), byContext("one")))
}

func TestReservedAddressesAreNotAssignedToVMs(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vlan := f.id("subnet", "vlan")
	vmUUID, _ := f.vm("vlan") // the VM gets address .10
	f.fails(conflict, "127.60.11.10 is already in use")(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("c", "127.60.11.11", "127.60.11.10")))
	assert.Empty(t, f.server.ReservedIPs("vlan"), "all or nothing")

	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(1, "c"))) // the server reserves address .11
	f.fails(conflict, "127.60.11.11 is already reserved")(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("c", "127.60.11.11")))
	f.vm("vlan") // the VM gets address .12
	assert.Equal(t, []string{"127.60.11.12"}, f.server.VMs()[1].NICs[0].IPs)
	f.fails(exhausted, "No free IP addresses")(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(1, "c")))

	response, err := f.v3.CreateVM(t.Context(), vmOnSubnet(t, f.server, "vlan", "127.60.11.11"))
	require.NoError(t, err)
	assert.Contains(t, *wait(t, f.v3, response.Status.ExecutionContext).ErrorDetail, "127.60.11.11", "a reserved address must be refused")

	require.NoError(t, f.server.DeleteVM(vmUUID))
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("c", "127.60.11.10")))
	f.done(f.reservations.UnreserveIpsBySubnetId(vlan, byContext("c")))
	f.vm("vlan")
}

func TestReservationFailures(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{MaxReservedIPs: 2})
	vlan := f.id("subnet", "vlan")
	for _, address := range []string{"127.60.11.0", "127.60.11.1", "127.60.11.255", "127.60.12.10"} {
		f.fails(invalid, "is not a usable address")(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("c", address)))
	}
	f.fails(invalid, "is not a managed subnet")(f.reservations.ReserveIpsBySubnetId(f.id("subnet", "wild"), reserveCount(1, "c")))
	f.fails(notFound, "Existing subnet "+unknown+" is not found")(f.reservations.ReserveIpsBySubnetId(ptr(unknown), reserveCount(1, "c")))
	f.fails(exhausted, "The maximum number of reserved IP addresses of a subnet (2) is reached")(
		f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(3, "c")))
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(2, "c")))
	f.fails(exhausted, "quota")(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(1, "c")))
	f.done(f.reservations.ReserveIpsBySubnetId(f.id("subnet", "blue-vips"), reserveCount(1, "c")))
}

func TestReservationRequestsAreChecked(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	path := "/api/networking/v4.2/config/subnets/" + *f.id("subnet", "vlan") + "/addresses/$actions/"
	tests := map[string]struct{ action, body, want string }{
		"no type":            {"reserve", `{}`, "reserveType"},
		"unknown type":       {"reserve", `{"reserveType":"ALL"}`, "@body.reserveType"},
		"no count":           {"reserve", `{"reserveType":"IP_ADDRESS_COUNT"}`, `missing required properties ([\"count\"])`},
		"no list":            {"reserve", `{"reserveType":"IP_ADDRESS_LIST"}`, "ipAddresses"},
		"no start":           {"reserve", `{"reserveType":"IP_ADDRESS_RANGE","count":1}`, "startIpAddress"},
		"no address":         {"reserve", `{"reserveType":"IP_ADDRESS_LIST","ipAddresses":[{"ipv4":{"value":"ten"}}]}`, "not a valid IP address"},
		"no body":            {"reserve", ``, "body"},
		"reserve by context": {"reserve", `{"reserveType":"CONTEXT","clientContext":"c"}`, "reserveType"},
		"no context":         {"unreserve", `{"unreserveType":"CONTEXT"}`, "clientContext"},
		"unreserve by count": {"unreserve", `{"unreserveType":"IP_ADDRESS_COUNT","count":1}`, "unreserveType"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := request(t, f.server, http.MethodPost, path+test.action, test.body, nil)
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.Contains(t, body, test.want)
			assert.Contains(t, body, "networking.v4.error.SchemaValidationError")
		})
	}
	assert.Empty(t, f.server.ReservedIPs(""))
}

func TestRetriedReservationIsMadeOnce(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	_, err := f.server.Faults().Set(prismsim.Fault{Path: "reserve$", DropReply: true, Times: 1})
	require.NoError(t, err)
	id := map[string]any{"NTNX-Request-Id": ptr("7d7b3a0e-1111-4222-8333-123456789abc")}
	vlan := f.id("subnet", "vlan")
	_, err = f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(1, "c"), id)
	require.Error(t, err)
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveCount(1, "c"), id))
	assert.Len(t, f.server.ReservedIPs("vlan"), 1)
}

func TestSubnetReportsAddressUsage(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vlan := f.id("subnet", "vlan")
	f.vm("vlan")
	f.done(f.reservations.ReserveIpsBySubnetId(vlan, reserveList("c", "127.60.11.12")))
	response, err := f.subnets.GetSubnetById(vlan)
	require.NoError(t, err)
	subnet := response.GetData().(netcfg.Subnet)
	assert.Equal(t, "127.60.11.12", *subnet.ReservedIpAddresses[0].Ipv4.Value)
	assert.Equal(t, int64(1), *subnet.IpUsage.NumAssignedIPs)
	assert.Equal(t, int64(1), *subnet.IpUsage.NumFreeIPs)
	assert.Equal(t, int64(3), *subnet.IpUsage.IpPoolUsages[0].NumTotalIPs)
}
