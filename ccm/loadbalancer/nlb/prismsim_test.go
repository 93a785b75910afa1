package nlb

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/prismsim"
)

func TestPrismSimKilledAtEveryChange(t *testing.T) {
	for _, title := range []string{"create with TCP, UDP, floating IP", "delete", "protocol changed", "subnet changed"} {
		t.Run(title, func(t *testing.T) {
			c := startCentral(t)
			from, to := changes[title].from, changes[title].to
			reset := func() {
				c.killed = 0
				require.NoError(t, c.change(nil))
				require.Empty(t, c.picture(), "nothing is left after a deletion")
				if from != nil {
					require.NoError(t, c.change(from))
				}
			}
			reset()
			require.NoError(t, c.change(to))
			want := c.picture()
			for at := 1; ; at++ {
				reset()
				c.killed = at
				if err := c.change(to); err == nil {
					require.Greater(t, at, 3, "there were changes to be killed at")
					assert.Equal(t, want, c.picture())
					reset()
					return
				}
				c.killed = 0
				require.NoError(t, c.change(to))
				assert.Equal(t, want, c.picture(), "killed after change %d", at)
			}
		})
	}
}

// TestPrismSimAnotherVPC kills whoever moves or removes a load balancer after another VPC was configured.
func TestPrismSimAnotherVPC(t *testing.T) {
	for title, to := range map[string]*corev1.Service{"deleted": nil, "served again": newService(1, withFloatingIP)} {
		t.Run(title, func(t *testing.T) {
			c := startCentral(t)
			for at, killed := 1, true; killed; at++ {
				c.vpc, c.subnet = "vpc", "vips"
				require.NoError(t, c.change(newService(1, withFloatingIP)))
				c.vpc, c.subnet, c.killed = "other", "their-vips", at
				err := c.change(to)
				killed = c.killed <= 0
				require.True(t, killed || err == nil, "%v", err)
				c.killed = 0
				if !killed && to != nil {
					assert.Contains(t, strings.Join(c.picture(), "\n"), "127.70.4.10", "it has moved")
				}
				require.NoError(t, c.change(nil))
				require.Empty(t, c.picture(), "killed after change %d", at)
			}
		})
	}
}

func TestPrismSimLostRepliesMakeNothingTwice(t *testing.T) {
	c := startCentral(t)
	service := newService(1, both, withFloatingIP)
	require.NoError(t, c.change(service))
	want := c.picture()
	require.NoError(t, c.change(nil))
	for _, path := range []string{"reserve$", "load-balancer-sessions$", "floating-ips$"} {
		for _, lost := range []prismsim.Fault{{DropReply: true}, {Status: 503}, {TaskError: "internal error", AfterWork: true}} {
			lost.Method, lost.Path, lost.Times = "POST", path, 1
			_, err := c.server.Faults().Set(lost)
			require.NoError(t, err)
			if err := c.change(service); err != nil {
				require.NoError(t, c.change(service), "the next try succeeds")
			}
			assert.Equal(t, want, c.picture(), "%s %+v", path, lost)
			c.server.Faults().Clear()
			require.NoError(t, c.change(nil))
			require.Empty(t, c.picture())
		}
	}
}

func TestPrismSimSharesNoVirtualIP(t *testing.T) {
	c := startCentral(t)
	c.server.SetNetworkRules(prismsim.NetworkRules{ExclusiveVIP: true})
	status, err := c.backend().Ensure(context.Background(), newService(1, both, withFloatingIP), c.nodes)
	assert.Equal(t, ReasonSharing, refusalOf(t, err).Reason)
	assert.Equal(t, c.server.FloatingIPs()[0].Address, status.Ingress[0].IP)
	require.Len(t, status.Ingress[0].Ports, 2)
	assert.Len(t, c.server.LoadBalancerSessions(), 1)
	require.NoError(t, c.change(newService(1, withPorts(tcp(81, 30081)))), "another port takes the place of the one")
	require.NoError(t, c.change(nil))
	assert.Empty(t, c.picture())
}

func TestPrismSimRefusals(t *testing.T) {
	c := startCentral(t)
	other := newService(2, withAddress("127.70.1.11"))
	_, err := c.backend().Ensure(context.Background(), other, c.nodes)
	require.NoError(t, err)
	require.NoError(t, c.server.ReserveIP("vips", "127.70.1.12", "somebody"))
	vms, err := c.server.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: "stranger", PrismElement: "pe", Subnets: []string{"more-vips"}})
	require.NoError(t, err)
	require.Len(t, vms, 1)
	for title, tc := range map[string]struct {
		rules        prismsim.NetworkRules
		service      *corev1.Service
		reason, says string
	}{
		"address of another Service":  {prismsim.NetworkRules{}, newService(1, withAddress("127.70.1.11")), ReasonAddressTaken, "by another Service of this cluster"},
		"address of somebody else":    {prismsim.NetworkRules{}, newService(1, withAddress("127.70.1.12")), ReasonAddressTaken, `by "somebody"`},
		"address of a VM":             {prismsim.NetworkRules{}, newService(1, withSubnet("more-vips"), withAddress("127.70.2.10")), ReasonAddressTaken, "a virtual machine"},
		"address that nobody may use": {prismsim.NetworkRules{}, newService(1, withAddress("127.70.1.0")), ReasonInvalid, "127.70.1.0"},
		"no more reservations":        {prismsim.NetworkRules{MaxReservedIPs: 1}, newService(1), ReasonAddressesExhausted, "subnet vips"},
		"no more sessions":            {prismsim.NetworkRules{MaxLoadBalancerSessions: 1}, newService(1), ReasonSessionsExhausted, "raise the limit"},
		"no more floating IPs":        {prismsim.NetworkRules{MaxFloatingIPs: 1}, newService(1, withFloatingIP), ReasonFloatingIPsExhausted, "free one"},
	} {
		if tc.rules.MaxFloatingIPs == 1 {
			_, err := c.backend().Ensure(context.Background(), newService(2, withAddress("127.70.1.11"), withFloatingIP), c.nodes)
			require.NoError(t, err)
		}
		c.server.SetNetworkRules(tc.rules)
		refusal := refusalOf(t, c.change(tc.service))
		assert.Equal(t, tc.reason, refusal.Reason, title)
		assert.Contains(t, refusal.Message, tc.says, title)
		assert.True(t, refusal.Retry, title)
		c.server.SetNetworkRules(prismsim.NetworkRules{})
		require.NoError(t, c.change(nil), title)
		for _, line := range c.picture() {
			assert.NotContains(t, line, string(newService(1).UID), title)
		}
	}
}

func TestPrismSimDriftIsRepaired(t *testing.T) {
	c := startCentral(t)
	service := newService(1, both, withFloatingIP)
	require.NoError(t, c.change(service))
	want := c.picture()
	first := func() prismsim.LoadBalancerSession { return c.server.LoadBalancerSessions()[0] }
	for title, spoil := range map[string]func() error{
		"session deleted": func() error { return c.server.DeleteLoadBalancerSession(first().UUID) },
		"targets changed": func() error { return c.server.SetLoadBalancerTargets(first().UUID) },
		"reservation added": func() error {
			return c.server.ReserveIP("more-vips", "127.70.2.12", loadbalancer.OwnerOf(cluster, service).Context())
		},
		"floating IP deleted": func() error { return c.server.DeleteFloatingIP(c.server.FloatingIPs()[0].UUID) },
	} {
		require.NoError(t, spoil(), title)
		require.NotEqual(t, want, c.picture(), title)
		require.NoError(t, c.change(service), title)
		assert.Equal(t, want, c.picture(), title)
	}
	require.NoError(t, c.server.UnreserveIP("vips", first().VirtualIP))
	require.NoError(t, c.change(service), "a virtual IP that is in use cannot be reserved again, and need not be")
	assert.Equal(t, slices.DeleteFunc(want, func(line string) bool { return strings.HasPrefix(line, "reserved") }), c.picture())
	require.NoError(t, c.change(nil))
	assert.Empty(t, c.picture())
}

func TestPrismSimNodesComeAndGo(t *testing.T) {
	c := startCentral(t)
	service := newService(1, both)
	require.NoError(t, c.change(service))
	require.NoError(t, c.backend().UpdateNodes(context.Background(), service, c.nodes[:1]))
	for _, s := range c.server.LoadBalancerSessions() {
		require.Len(t, s.Targets, 1)
		assert.Equal(t, c.vms[0].UUID, s.Targets[0].VM)
	}
	require.NoError(t, c.server.DeleteVM(c.vms[0].UUID))
	require.NoError(t, c.change(service), "a node whose VM is gone is left out")
	for _, s := range c.server.LoadBalancerSessions() {
		require.Len(t, s.Targets, 1)
		assert.Equal(t, c.vms[1].UUID, s.Targets[0].VM)
	}
	writes := func() int {
		return len(slices.DeleteFunc(c.server.Requests(), func(r prismsim.Request) bool { return r.Method == "GET" || r.Method == "OPTIONS" }))
	}
	before := writes()
	require.NoError(t, c.change(service))
	assert.Equal(t, before, writes(), "what is as wanted is not written: what Prism Central gives back compares equal")
}
