package prismsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// floatingIPOn returns a floating IP of the external subnet "outside" with the association. association may be nil.
func (f *networkFixture) floatingIPOn(name string, association any) *netcfg.FloatingIp {
	out := netcfg.NewFloatingIp()
	out.Name, out.ExternalSubnetReference = &name, f.id("subnet", "outside")
	if association != nil {
		require.NoError(f.t, out.SetAssociation(association))
	}
	return out
}

func toSession(id string) netcfg.LoadBalancerSessionAssociation {
	out := netcfg.NewLoadBalancerSessionAssociation()
	out.LoadBalancerSessionReference = &id
	return *out
}

func toNIC(id string) netcfg.VmNicAssociation {
	out := netcfg.NewVmNicAssociation()
	out.VmNicReference = &id
	return *out
}

func (f *networkFixture) toPrivateIP(vpc, address string) netcfg.PrivateIpAssociation {
	out := netcfg.NewPrivateIpAssociation()
	out.VpcReference, out.PrivateIp = f.id("vpc", vpc), ipv4(address)
	return *out
}

// floatingIP reads a floating IP.
func (f *networkFixture) floatingIP(id string) *netcfg.FloatingIp {
	f.t.Helper()
	response, err := f.floatingIPs.GetFloatingIpById(&id)
	require.NoError(f.t, err)
	out, ok := response.GetData().(netcfg.FloatingIp)
	require.True(f.t, ok, "%T", response.GetData())
	return &out
}

func TestFloatingIPAssociations(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vmUUID, nic := f.vm("blue-nodes")
	session := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "127.60.2.11", nic)))
	none := f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("none", nil)))
	byNIC := f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("nic", toNIC(nic))))
	byIP := f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("ip", f.toPrivateIP("blue", "127.60.2.77"))))
	f.fails(exhausted, "No free IP addresses")(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("one too many", nil)))
	assert.Equal(t, none, f.done(f.floatingIPs.DeleteFloatingIpById(&none)))
	bySession := f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("session", toSession(session))))

	got := f.floatingIP(bySession)
	assert.Equal(t, netcfg.ASSOCIATIONSTATUS_ASSOCIATED_TO_LOAD_BALANCER_SESSION, *got.AssociationStatus)
	assert.Equal(t, session, *got.GetAssociation().(netcfg.LoadBalancerSessionAssociation).LoadBalancerSessionReference)
	assert.Equal(t, session+" 127.60.2.11 "+*f.id("vpc", "blue"), *got.LoadBalancerSessionReference+" "+*got.PrivateIp+" "+*got.VpcReference)
	assert.Equal(t, *got.FloatingIpValue, *got.FloatingIp.Ipv4.Value)
	assert.Equal(t, netcfg.ASSOCIATIONSTATUS_ASSOCIATED_TO_VNIC, *f.floatingIP(byNIC).AssociationStatus)
	assert.Equal(t, "127.60.1.10", *f.floatingIP(byNIC).PrivateIp)
	assert.Equal(t, netcfg.ASSOCIATIONSTATUS_ASSOCIATED_TO_PRIVATE_IP, *f.floatingIP(byIP).AssociationStatus)
	assert.IsType(t, netcfg.PrivateIpAssociation{}, f.floatingIP(byIP).GetAssociation())

	require.NoError(t, f.server.DeleteVM(vmUUID))
	assert.Equal(t, netcfg.ASSOCIATIONSTATUS_NOT_ASSOCIATED, *f.floatingIP(byNIC).AssociationStatus)
	list, err := f.floatingIPs.ListFloatingIps(nil, nil, ptr("name eq 'session'"), nil, ptr("externalSubnet"))
	require.NoError(t, err)
	found := list.GetData().([]netcfg.FloatingIp)
	require.Len(t, found, 1)
	assert.Equal(t, "outside", *found[0].ExternalSubnet.Name)
	assert.Equal(t, prismsim.FloatingIP{
		UUID: bySession, Name: "session", Subnet: "outside", Address: *got.FloatingIpValue, PrivateIP: "127.60.2.11", Session: session,
	}, f.server.FloatingIPs()[2])
}

func TestFloatingIPAssociationChanges(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	session := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "127.60.2.11")))
	fip := f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("web", nil)))
	body := f.floatingIP(fip)
	require.NoError(t, body.SetAssociation(toSession(session)))
	f.done(f.floatingIPs.UpdateFloatingIpById(&fip, body))
	_, err := f.floatingIPs.UpdateFloatingIpById(&fip, body)
	require.ErrorContains(t, err, "it doesn't match the current value")

	moved := f.session(session)
	moved.Listener.VirtualIP.IpAddress = ipv4("127.60.2.12")
	f.done(f.sessions.UpdateLoadBalancerSessionById(&session, moved))
	assert.Equal(t, "127.60.2.12", *f.floatingIP(fip).PrivateIp)

	f.fails(conflict, "is already in use by floating IP "+fip)(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("second", toSession(session))))
	f.fails(inUse, "Failed to Delete Load Balancer Session as the referenced resource is still in use - Floating IP "+fip)(
		f.sessions.DeleteLoadBalancerSessionById(&session))
	f.server.SetNetworkRules(prismsim.NetworkRules{ReleaseFloatingIP: true})
	f.done(f.sessions.DeleteLoadBalancerSessionById(&session))
	assert.Equal(t, netcfg.ASSOCIATIONSTATUS_NOT_ASSOCIATED, *f.floatingIP(fip).AssociationStatus)
	assert.Nil(t, f.floatingIP(fip).GetAssociation())
	f.done(f.floatingIPs.DeleteFloatingIpById(&fip))
	assert.Empty(t, f.server.FloatingIPs())
}

func TestFloatingIPRequirements(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{MaxFloatingIPs: 2})
	_, foreign := f.vm("green-nodes")
	_, vlan := f.vm("vlan")
	tests := map[string]struct {
		code, text  string
		association any
		change      func(*netcfg.FloatingIp)
	}{
		"no subnet":          {notFound, "External subnet  not found", nil, func(b *netcfg.FloatingIp) { b.ExternalSubnetReference = nil }},
		"unknown subnet":     {notFound, "External subnet " + unknown, nil, func(b *netcfg.FloatingIp) { b.ExternalSubnetReference = ptr(unknown) }},
		"not external":       {invalid, "is not an external subnet with NAT", nil, func(b *netcfg.FloatingIp) { b.ExternalSubnetReference = f.id("subnet", "vlan") }},
		"without NAT":        {invalid, "is not an external subnet with NAT", nil, func(b *netcfg.FloatingIp) { b.ExternalSubnetReference = f.id("subnet", "routed") }},
		"unknown session":    {notFound, "Load balancer session " + unknown, toSession(unknown), nil},
		"unknown NIC":        {notFound, "VM NIC " + unknown, toNIC(unknown), nil},
		"NIC of a VLAN":      {invalid, "has no address in a VPC", toNIC(vlan), nil},
		"VPC not attached":   {invalid, "is not attached to external subnet", toNIC(foreign), nil},
		"address of nowhere": {invalid, "is in no subnet of VPC", f.toPrivateIP("blue", "127.60.3.10"), nil},
		"address used": {conflict, "is already in use", nil, func(b *netcfg.FloatingIp) {
			b.FloatingIp = netcfg.NewFloatingIPAddress()
			b.FloatingIp.Ipv4 = netcfg.NewFloatingIPv4Address()
			b.FloatingIp.Ipv4.Value = ptr("127.60.9.10") // the address of the VPC itself
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := f.on(t)
			body := f.floatingIPOn("fip", test.association)
			if test.change != nil {
				test.change(body)
			}
			f.fails(test.code, test.text)(f.floatingIPs.CreateFloatingIp(body))
		})
	}
	_, err := f.floatingIPs.CreateFloatingIp(netcfg.NewFloatingIp())
	require.ErrorContains(t, err, `([\"name\"])`)

	body := f.floatingIPOn("chosen", nil)
	body.FloatingIp = netcfg.NewFloatingIPAddress()
	body.FloatingIp.Ipv4 = netcfg.NewFloatingIPv4Address()
	body.FloatingIp.Ipv4.Value = ptr("127.60.9.13")
	chosen := f.done(f.floatingIPs.CreateFloatingIp(body))
	assert.Equal(t, "127.60.9.13", *f.floatingIP(chosen).FloatingIpValue)
	f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("any", nil)))
	f.fails(exhausted, "The maximum number of floating IPs (2) is reached")(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("third", nil)))
	require.NoError(t, f.server.DeleteFloatingIP(chosen))
	require.Error(t, f.server.DeleteFloatingIP(chosen))
	_, err = f.floatingIPs.GetFloatingIpById(&chosen)
	require.ErrorContains(t, err, "NETWORKING-10060")
}

func TestOldVersionsHaveNoAssociationStatus(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("fip", nil)))
	for version, want := range map[string]bool{"v4.0": false, "v4.1": false, "v4.2": true} {
		response, body := request(t, f.server, http.MethodGet, "/api/networking/"+version+"/config/floating-ips", "", nil)
		require.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, want, strings.Contains(body, `"associationStatus":"NOT_ASSOCIATED"`), version)
	}
}
