package nutanix_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	clusterapi "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/api"
	clusterclient "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/client"
	networkapi "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/api"
	networkclient "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/client"
	common "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	prismapi "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/api"
	prismclient "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/client"
	vmmapi "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/api"
	vmmclient "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/client"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// vendor is the official SDK for a server.
type vendor struct {
	vms        *vmmapi.VmApi
	clusters   *clusterapi.ClustersApi
	categories *prismapi.CategoriesApi
	network    *networkclient.ApiClient
}

func newVendor(t *testing.T, c *central) vendor {
	t.Helper()
	address, err := url.Parse(c.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(address.Port())
	require.NoError(t, err)
	quiet := filepath.Join(t.TempDir(), "sdk.log")
	v, k, p, n := vmmclient.NewApiClient(), clusterclient.NewApiClient(), prismclient.NewApiClient(), networkclient.NewApiClient()
	v.Host, v.Port, v.VerifySSL, v.Username, v.Password, v.LoggerFile = address.Hostname(), port, false, testUser, testPassword, quiet
	k.Host, k.Port, k.VerifySSL, k.Username, k.Password, k.LoggerFile = address.Hostname(), port, false, testUser, testPassword, quiet
	p.Host, p.Port, p.VerifySSL, p.Username, p.Password, p.LoggerFile = address.Hostname(), port, false, testUser, testPassword, quiet
	n.Host, n.Port, n.VerifySSL, n.Username, n.Password, n.LoggerFile = address.Hostname(), port, false, testUser, testPassword, quiet
	return vendor{vmmapi.NewVmApi(v), clusterapi.NewClustersApi(k), prismapi.NewCategoriesApi(p), n}
}

func first() (page, limit *int) { return ptr.To(0), ptr.To(100) }

func addressModel(text string) *common.IPAddress {
	out := common.NewIPAddress()
	out.Ipv4 = common.NewIPv4Address()
	out.Ipv4.Value, out.Ipv4.PrefixLength = ptr.To(text), nil
	return out
}

// sessionModel is the vendor's form of ourSession.
func sessionModel(in *networking.LoadBalancerSession) *networking.LoadBalancerSession {
	in.Name, in.Description, in.VpcReference = ptr.To("k-svc-tcp-80"), ptr.To("default/web"), ptr.To(vpcUUID)
	in.Type, in.Algorithm = networking.LOADBALANCERSESSIONTYPE_NETWORK_LOAD_BALANCER.Ref(), networking.ALGORITHM_FIVE_TUPLE_HASH.Ref()
	in.Listener = networking.NewListener()
	in.Listener.Protocol = networking.PROTOCOL_UDP.Ref()
	ports := networking.NewPortRange()
	ports.StartPort, ports.EndPort = ptr.To(80), ptr.To(80)
	in.Listener.PortRanges = []networking.PortRange{*ports}
	in.Listener.VirtualIP = networking.NewVirtualIP()
	in.Listener.VirtualIP.AssignmentType = networking.ASSIGNMENTTYPE_STATIC.Ref()
	in.Listener.VirtualIP.SubnetReference, in.Listener.VirtualIP.IpAddress = ptr.To(subnetUUID), addressModel("10.0.0.9")
	in.HealthCheckConfig = networking.NewHealthCheck()
	in.HealthCheckConfig.IntervalSecs, in.HealthCheckConfig.TimeoutSecs = ptr.To(10), ptr.To(5)
	in.HealthCheckConfig.SuccessThreshold, in.HealthCheckConfig.FailureThreshold = ptr.To(3), ptr.To(4)
	in.TargetsConfig = networking.NewTarget()
	nic := networking.NewNicTarget()
	nic.VirtualNicReference, nic.Port = ptr.To(nicUUID), ptr.To(30080)
	in.TargetsConfig.NicTargets = []networking.NicTarget{*nic}
	return in
}

func ourSession() nutanix.LoadBalancerSession {
	return nutanix.LoadBalancerSession{
		UUID: sessionUUID, Name: "k-svc-tcp-80", Description: "default/web", VPCUUID: vpcUUID, Protocol: nutanix.UDP, Port: 80,
		SubnetUUID: subnetUUID, VirtualIP: netip.MustParseAddr("10.0.0.9"), ETag: "etag-1",
		HealthCheck: nutanix.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 4},
		Targets:     []nutanix.Target{{NICUUID: nicUUID, Port: 30080}},
	}
}

func floatingIPModel(t *testing.T, in *networking.FloatingIp) *networking.FloatingIp {
	t.Helper()
	in.Name, in.Description, in.ExternalSubnetReference = ptr.To("k-svc"), ptr.To("default/web"), ptr.To(subnetUUID)
	association := networking.NewLoadBalancerSessionAssociation()
	association.LoadBalancerSessionReference, association.VpcReference = ptr.To(sessionUUID), ptr.To(vpcUUID)
	require.NoError(t, in.SetAssociation(*association))
	return in
}

func ourFloatingIP() nutanix.FloatingIP {
	return nutanix.FloatingIP{
		UUID: floatUUID, Name: "k-svc", Description: "default/web", ExternalSubnetUUID: subnetUUID,
		LoadBalancerSessionUUID: sessionUUID, VPCUUID: vpcUUID, ETag: "etag-1",
	}
}

func routeModel(in *networking.Route) *networking.Route {
	in.Name, in.Description, in.RouteTableReference = ptr.To("k-node-1"), ptr.To("pods of node-1"), ptr.To(tableUUID)
	in.RouteType = networking.ROUTETYPE_STATIC.Ref()
	in.Destination = networking.NewIPSubnet()
	in.Destination.Ipv4 = networking.NewIPv4Subnet()
	in.Destination.Ipv4.Ip = common.NewIPv4Address()
	in.Destination.Ipv4.Ip.Value, in.Destination.Ipv4.Ip.PrefixLength = ptr.To("10.244.1.0"), nil
	in.Destination.Ipv4.PrefixLength = ptr.To(24)
	in.Nexthop = networking.NewNexthop()
	in.Nexthop.NexthopType = networking.NEXTHOPTYPE_IP_ADDRESS.Ref()
	in.Nexthop.NexthopIpAddress = addressModel("10.0.0.5")
	return in
}

func ourRoute() nutanix.Route {
	return nutanix.Route{
		UUID: routeUUID, Name: "k-node-1", Description: "pods of node-1", RouteTableUUID: tableUUID, ETag: "etag-1",
		Destination: netip.MustParsePrefix("10.244.1.0/24"), NextHop: netip.MustParseAddr("10.0.0.5"),
	}
}

// entity is an object as Prism Central stores it, with fields that this package knows nothing of.
func entity(kind, uuid string) string {
	return `{"$objectType":"networking.v4.config.` + kind + `","$reserved":{"$fv":"v4.r2"},"extId":"` + uuid + `","name":"old",` +
		`"metadata":{"projectReferenceId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},"futureField":{"kept":true}}`
}

// prepare makes the server answer everything that the operations need.
func (c *central) prepare() {
	for path, kind := range map[string][2]string{
		"networking/config/load-balancer-sessions":                {"LoadBalancerSession", sessionUUID},
		"networking/config/floating-ips":                          {"FloatingIp", floatUUID},
		"networking/config/route-tables/" + tableUUID + "/routes": {"Route", routeUUID},
	} {
		object := answer(http.StatusOK, `{"$reserved":{"$fv":"v4.r2"},"data":`+entity(kind[0], kind[1])+`}`, "ETag", "etag-1")
		c.On("GET "+path, answer(http.StatusOK, items(1, entity(kind[0], kind[1]))))
		c.On("GET "+path+"/"+kind[1], object)
		c.On("POST "+path, accepted())
		c.On("PUT "+path+"/"+kind[1], accepted())
		c.On("DELETE "+path+"/"+kind[1], accepted())
	}
	for _, path := range []string{
		"vmm/ahv/config/vms", "clustermgmt/config/clusters", "clustermgmt/config/hosts", "prism/config/categories",
		"networking/config/subnets", "networking/config/vpcs", "networking/config/subnets/" + subnetUUID + "/reserved-ips",
	} {
		c.On("GET "+path, answer(http.StatusOK, items(0)))
	}
	c.On("GET networking/config/route-tables", answer(http.StatusOK, items(1, `{"extId":"`+tableUUID+`","vpcReference":"`+vpcUUID+`"}`)))
	c.On("GET vmm/ahv/config/vms/"+vmUUID, answer(http.StatusOK, `{"data":{"extId":"`+vmUUID+`"}}`))
	reserved := `,"completionDetails":[{"name":"reserved_or_unreserved_ips","value":"{\"reserved_ips\":[\"10.0.0.9\"]}"}]`
	for _, action := range []string{"reserve", "unreserve"} {
		c.On("POST networking/config/subnets/"+subnetUUID+"/addresses/$actions/"+action, accepted())
	}
	c.Task(taskState("SUCCEEDED", reserved+`,"entitiesAffected":[{"rel":"networking:config:load-balancer-session","extId":"`+sessionUUID+
		`"},{"rel":"networking:config:floating-ip","extId":"`+floatUUID+`"},{"rel":"networking:config:route","extId":"`+routeUUID+
		`"},{"rel":"networking:config:route-table","extId":"`+tableUUID+`"}]`))
}

// TestRequestsAreThoseOfTheOfficialSDK compares what arrives at Prism Central from the SDK and from us for the same wish:
// the SDK is the judge of method, path, query, body and If-Match.
func TestRequestsAreThoseOfTheOfficialSDK(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("10.0.0.9")
	match := map[string]any{"If-Match": ptr.To("etag-1")}
	tests := map[string]struct {
		sdk  func(*testing.T, vendor) error
		ours func(*testing.T, *nutanix.Client) error
	}{
		"VM": {
			func(_ *testing.T, v vendor) error { _, err := v.vms.GetVmById(ptr.To(vmUUID)); return err },
			func(t *testing.T, c *nutanix.Client) error { _, err := c.VM(t.Context(), vmUUID); return err },
		},
		"VMs by name": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := v.vms.ListVms(page, limit, ptr.To("name eq 'it''s'"), nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListVMs(t.Context(), nutanix.VMFilter{Name: "it's"})
				return err
			},
		},
		"VMs by BIOS UUID and category": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := v.vms.ListVms(page, limit, ptr.To("biosUuid eq '"+vmUUID+"' and categories/any(x:x/extId eq '"+vpcUUID+"')"), nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListVMs(t.Context(), nutanix.VMFilter{BIOSUUID: strings.ToUpper(vmUUID), CategoryUUID: vpcUUID})
				return err
			},
		},
		"Prism Elements": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := v.clusters.ListClusters(page, limit, nil, nil, nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { _, err := c.ListPrismElements(t.Context()); return err },
		},
		"hosts": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := v.clusters.ListHosts(page, limit, nil, nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { _, err := c.ListHosts(t.Context()); return err },
		},
		"categories": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := v.categories.ListCategories(page, limit, ptr.To("key eq 'zone'"), nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListCategories(t.Context(), "zone")
				return err
			},
		},
		"subnets": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewSubnetsApi(v.network).ListSubnets(page, limit, ptr.To("name eq 'net'"), nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { _, err := c.ListSubnets(t.Context(), "net"); return err },
		},
		"VPCs": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewVpcsApi(v.network).ListVpcs(page, limit, nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { _, err := c.ListVPCs(t.Context(), ""); return err },
		},
		"reserved addresses": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewSubnetIPReservationApi(v.network).ListReservedIpsBySubnetId(ptr.To(subnetUUID), page, limit, nil, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListReservedIPs(t.Context(), subnetUUID)
				return err
			},
		},
		"reserving a certain address": {
			func(_ *testing.T, v vendor) error {
				spec := networking.NewIpReserveSpec()
				spec.ReserveType, spec.ClientContext = networking.RESERVETYPE_IP_ADDRESS_LIST.Ref(), ptr.To("k/uid")
				spec.IpAddresses = []common.IPAddress{*addressModel("10.0.0.9")}
				_, err := networkapi.NewSubnetIPReservationApi(v.network).ReserveIpsBySubnetId(ptr.To(subnetUUID), spec)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ReserveIP(t.Context(), subnetUUID, address, "k/uid")
				return err
			},
		},
		"reserving any address": {
			func(_ *testing.T, v vendor) error {
				spec := networking.NewIpReserveSpec()
				spec.ReserveType, spec.ClientContext = networking.RESERVETYPE_IP_ADDRESS_COUNT.Ref(), ptr.To("k/uid")
				spec.Count = ptr.To(int64(1))
				_, err := networkapi.NewSubnetIPReservationApi(v.network).ReserveIpsBySubnetId(ptr.To(subnetUUID), spec)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ReserveIP(t.Context(), subnetUUID, netip.Addr{}, "k/uid")
				return err
			},
		},
		"unreserving": {
			func(_ *testing.T, v vendor) error {
				spec := networking.NewIpUnreserveSpec()
				spec.UnreserveType = networking.UNRESERVETYPE_IP_ADDRESS_LIST.Ref()
				spec.IpAddresses = []common.IPAddress{*addressModel("10.0.0.9")}
				_, err := networkapi.NewSubnetIPReservationApi(v.network).UnreserveIpsBySubnetId(ptr.To(subnetUUID), spec)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { return c.UnreserveIPs(t.Context(), subnetUUID, address) },
		},
		"load balancer sessions": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewLoadBalancerSessionsApi(v.network).ListLoadBalancerSessions(page, limit, ptr.To("startswith(name,'k-')"), nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListLoadBalancerSessions(t.Context(), "k-")
				return err
			},
		},
		"creating a load balancer session": {
			func(_ *testing.T, v vendor) error {
				api := networkapi.NewLoadBalancerSessionsApi(v.network)
				if _, err := api.CreateLoadBalancerSession(sessionModel(networking.NewLoadBalancerSession())); err != nil {
					return err
				}
				_, err := api.GetLoadBalancerSessionById(ptr.To(sessionUUID), nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.CreateLoadBalancerSession(t.Context(), ourSession())
				return err
			},
		},
		"updating a load balancer session": {
			func(t *testing.T, v vendor) error {
				api := networkapi.NewLoadBalancerSessionsApi(v.network)
				got, err := api.GetLoadBalancerSessionById(ptr.To(sessionUUID), nil)
				if err != nil {
					return err
				}
				now, ok := got.GetData().(networking.LoadBalancerSession)
				require.True(t, ok)
				_, err = api.UpdateLoadBalancerSessionById(ptr.To(sessionUUID), sessionModel(&now))
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				return c.UpdateLoadBalancerSession(t.Context(), ourSession())
			},
		},
		"deleting a load balancer session": {
			func(_ *testing.T, v vendor) error {
				_, err := networkapi.NewLoadBalancerSessionsApi(v.network).DeleteLoadBalancerSessionById(ptr.To(sessionUUID), match)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				return c.DeleteLoadBalancerSession(t.Context(), ourSession())
			},
		},
		"floating IPs": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewFloatingIpsApi(v.network).ListFloatingIps(page, limit, ptr.To("startswith(name,'k-')"), nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListFloatingIPs(t.Context(), "k-")
				return err
			},
		},
		"creating a floating IP": {
			func(t *testing.T, v vendor) error {
				api := networkapi.NewFloatingIpsApi(v.network)
				if _, err := api.CreateFloatingIp(floatingIPModel(t, networking.NewFloatingIp())); err != nil {
					return err
				}
				_, err := api.GetFloatingIpById(ptr.To(floatUUID))
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.CreateFloatingIP(t.Context(), ourFloatingIP())
				return err
			},
		},
		"updating a floating IP": {
			func(t *testing.T, v vendor) error {
				api := networkapi.NewFloatingIpsApi(v.network)
				got, err := api.GetFloatingIpById(ptr.To(floatUUID))
				if err != nil {
					return err
				}
				now, ok := got.GetData().(networking.FloatingIp)
				require.True(t, ok)
				_, err = api.UpdateFloatingIpById(ptr.To(floatUUID), floatingIPModel(t, &now))
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { return c.UpdateFloatingIP(t.Context(), ourFloatingIP()) },
		},
		"deleting a floating IP": {
			func(_ *testing.T, v vendor) error {
				_, err := networkapi.NewFloatingIpsApi(v.network).DeleteFloatingIpById(ptr.To(floatUUID), match)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { return c.DeleteFloatingIP(t.Context(), ourFloatingIP()) },
		},
		"route table": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewRouteTablesApi(v.network).ListRouteTables(page, limit, ptr.To("vpcReference eq '"+vpcUUID+"'"), nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.RouteTableOfVPC(t.Context(), vpcUUID)
				return err
			},
		},
		"routes": {
			func(_ *testing.T, v vendor) error {
				page, limit := first()
				_, err := networkapi.NewRoutesApi(v.network).ListRoutesByRouteTableId(ptr.To(tableUUID), page, limit, nil, nil)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.ListRoutes(t.Context(), tableUUID)
				return err
			},
		},
		"creating a route": {
			func(_ *testing.T, v vendor) error {
				api := networkapi.NewRoutesApi(v.network)
				if _, err := api.CreateRouteForRouteTable(ptr.To(tableUUID), routeModel(networking.NewRoute())); err != nil {
					return err
				}
				_, err := api.GetRouteForRouteTableById(ptr.To(routeUUID), ptr.To(tableUUID))
				return err
			},
			func(t *testing.T, c *nutanix.Client) error {
				_, err := c.CreateRoute(t.Context(), ourRoute())
				return err
			},
		},
		"updating a route": {
			func(t *testing.T, v vendor) error {
				api := networkapi.NewRoutesApi(v.network)
				got, err := api.GetRouteForRouteTableById(ptr.To(routeUUID), ptr.To(tableUUID))
				if err != nil {
					return err
				}
				now, ok := got.GetData().(networking.Route)
				require.True(t, ok)
				_, err = api.UpdateRouteForRouteTableById(ptr.To(routeUUID), ptr.To(tableUUID), routeModel(&now))
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { return c.UpdateRoute(t.Context(), ourRoute()) },
		},
		"deleting a route": {
			func(_ *testing.T, v vendor) error {
				_, err := networkapi.NewRoutesApi(v.network).DeleteRouteForRouteTableById(ptr.To(routeUUID), ptr.To(tableUUID), match)
				return err
			},
			func(t *testing.T, c *nutanix.Client) error { return c.DeleteRoute(t.Context(), ourRoute()) },
		},
	}
	c := newCentral(t)
	c.prepare()
	v, client := newVendor(t, c), c.client(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c.Forget()
			require.NoError(t, test.sdk(t, v))
			want := c.Requests()
			c.Forget()
			require.NoError(t, test.ours(t, client))
			assert.Equal(t, essence(t, want), essence(t, c.Requests()))
		})
	}
}

// essence keeps what both must agree about. The SDK also carries the ETag in the body of a PUT, in $reserved, from
// where it takes If-Match.
func essence(t *testing.T, requests []prismv4test.Request) []prismv4test.Request {
	t.Helper()
	require.NotEmpty(t, requests)
	var out []prismv4test.Request
	for _, one := range requests {
		_, err := uuid.Parse(one.RequestID)
		require.NoError(t, err, "every request has an identifier of its own")
		one.RequestID, one.Header = "", nil
		if body, ok := one.Body.(map[string]any); ok {
			if reserved, ok := body["$reserved"].(map[string]any); ok {
				delete(reserved, "ETag")
			}
		}
		if one.Method == http.MethodGet || one.Method == http.MethodDelete {
			one.ContentType = ""
		}
		out = append(out, one)
	}
	return out
}

// TestUpdatesKeepWhatThisPackageDoesNotKnow proves that a PUT does not take away, for example, an object's project.
func TestUpdatesKeepWhatThisPackageDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.prepare()
	require.NoError(t, c.client(t, nil).UpdateLoadBalancerSession(t.Context(), ourSession()))
	sent := c.Requests()
	put, ok := sent[len(sent)-1].Body.(map[string]any)
	require.True(t, ok)
	assert.Equal(t, map[string]any{"kept": true}, put["futureField"])
	assert.Contains(t, put["metadata"], "projectReferenceId")
	assert.Equal(t, "k-svc-tcp-80", put["name"])
}
