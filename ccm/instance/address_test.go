package instance

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	cloudproviderapi "k8s.io/cloud-provider/api"

	"github.com/capnt/capnt/ccm/nutanix"
)

func ips(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func internal(addresses ...string) []corev1.NodeAddress {
	var all []corev1.NodeAddress
	for _, address := range addresses {
		all = append(all, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
	return all
}

func TestAddresses(t *testing.T) {
	one := func(primary string, secondary, learned []netip.Addr) nutanix.NIC {
		nic := nutanix.NIC{Secondary: secondary, Learned: learned}
		if primary != "" {
			nic.Primary = netip.MustParseAddr(primary)
		}
		return nic
	}
	for name, tc := range map[string]struct {
		nics     []nutanix.NIC
		ignored  []string
		endpoint string
		balanced []string
		served   []string
		current  []corev1.NodeAddress
		want     []string
	}{
		"the primary first, the others in numeric order": {
			nics: []nutanix.NIC{one("10.0.0.10", ips("10.0.0.9", "10.0.0.2"), ips("10.0.0.10", "10.0.0.100"))},
			want: []string{"10.0.0.10", "10.0.0.2", "10.0.0.9", "10.0.0.100"},
		},
		"the primary of the first NIC, though the second has a lower one": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, nil), one("10.0.0.2", nil, nil)},
			want: []string{"10.0.0.10", "10.0.0.2"},
		},
		"a NIC without addresses is passed over": {
			nics: []nutanix.NIC{one("", nil, nil), one("10.0.0.10", nil, ips("10.0.0.2"))},
			want: []string{"10.0.0.10", "10.0.0.2"},
		},
		"the lowest learned one of the first NIC, where none is configured": {
			nics: []nutanix.NIC{one("", nil, ips("10.0.0.10", "10.0.0.9")), one("10.0.0.2", nil, nil)},
			want: []string{"10.0.0.9", "10.0.0.2", "10.0.0.10"},
		},
		"what the node has first stays first, where none is configured": {
			nics:    []nutanix.NIC{one("", nil, ips("10.0.0.10", "10.0.0.9"))},
			current: internal("10.0.0.10"),
			want:    []string{"10.0.0.10", "10.0.0.9"},
		},
		"what the node has first is replaced when it is gone": {
			nics:    []nutanix.NIC{one("", nil, ips("10.0.0.11", "10.0.0.12"))},
			current: internal("10.0.0.10"),
			want:    []string{"10.0.0.11", "10.0.0.12"},
		},
		"IPv4 and IPv6, without link-local and other special ones": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, ips("fe80::1", "fe80::1%eth0", "2001:db8::10", "2001:db8::9", "169.254.1.1", "fd00::1",
				"0.0.0.0", "::", "224.0.0.1", "::ffff:10.0.0.10"))},
			want: []string{"10.0.0.10", "2001:db8::9", "2001:db8::10", "fd00::1"},
		},
		"only IPv6": {
			nics: []nutanix.NIC{one("", nil, ips("fe80::1", "2001:db8::10"))},
			want: []string{"2001:db8::10"},
		},
		"ignored: one, a range, a CIDR, IPv6": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, ips("10.0.0.1", "10.0.0.20", "10.0.0.25", "10.0.0.30", "10.0.0.31", "172.16.3.4",
				"2001:db8::1", "2001:db8:1::1"))},
			ignored: []string{"10.0.0.1", "10.0.0.20-10.0.0.30", "172.16.0.0/12", "2001:db8:1::/48"},
			want:    []string{"10.0.0.10", "10.0.0.31", "2001:db8::1"},
		},
		"the control plane endpoint that kube-vip announces": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, ips("10.0.0.5"))}, endpoint: "10.0.0.5",
			want: []string{"10.0.0.10"},
		},
		"the control plane endpoint in IPv6": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, ips("2001:db8::5"))}, endpoint: "2001:DB8::5",
			want: []string{"10.0.0.10"},
		},
		"a control plane endpoint by name leaves nothing out": {
			nics: []nutanix.NIC{one("10.0.0.10", nil, nil)}, endpoint: "api.example.org",
			want: []string{"10.0.0.10"},
		},
		"addresses of load balancers, even as the node's present first": {
			nics:     []nutanix.NIC{one("", nil, ips("10.0.0.10", "10.0.0.6", "10.0.0.7"))},
			balanced: []string{"10.0.0.6", "not an address", "10.0.0.7"}, current: internal("10.0.0.6"),
			want: []string{"10.0.0.10"},
		},
		"addresses that somebody else's load balancers announce, but not the node's own which Services are given": {
			nics:   []nutanix.NIC{one("10.0.0.10", ips("10.0.0.8"), ips("10.0.0.10", "10.0.0.8", "10.0.0.7"))},
			served: []string{"10.0.0.10", "10.0.0.8", "10.0.0.7", ""}, current: internal("10.0.0.10", "10.0.0.7"),
			want: []string{"10.0.0.10", "10.0.0.8"},
		},
		"the learned address that the node has first, which Services are given": {
			nics:   []nutanix.NIC{one("", nil, ips("10.0.0.10", "10.0.0.7"))},
			served: []string{"10.0.0.10", "10.0.0.7"}, current: internal("10.0.0.10", "10.0.0.7"),
			want: []string{"10.0.0.10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, node := newBench(t), ready()
			b.ServiceAddresses = func(context.Context) ([]string, error) { return tc.served, nil }
			b.prism.vms[0].NICs = tc.nics
			b.settings.IgnoredNodeIPs, b.settings.ControlPlaneEndpoint = tc.ignored, tc.endpoint
			b.balanced = func(context.Context) ([]string, error) { return tc.balanced, nil }
			node.Status.Addresses = tc.current
			metadata, err := b.InstanceMetadata(context.Background(), node)
			require.NoError(t, err)
			want := append(internal(tc.want...), corev1.NodeAddress{Type: corev1.NodeHostName, Address: "worker-1"})
			assert.Equal(t, want, metadata.NodeAddresses)
		})
	}
}

func TestAddressesAreRefreshed(t *testing.T) {
	b, node := newBench(t), ready()
	node.Status.Addresses = append(internal("10.0.0.10"), corev1.NodeAddress{Type: corev1.NodeHostName, Address: "worker-1"})
	b.prism.vms[0].NICs[0].Primary = netip.MustParseAddr("10.0.0.11")
	metadata, err := b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.11", metadata.NodeAddresses[0].Address)
}

func TestANameThatIsNoHostNameIsReplacedByTheNodes(t *testing.T) {
	for name, want := range map[string]string{"Worker-1.Example": "Worker-1.Example", "Worker 1": "worker-1", "": "worker-1", "knöten": "worker-1"} {
		b := newBench(t)
		b.prism.vms[0].Name = name
		metadata, err := b.InstanceMetadata(context.Background(), ready())
		require.NoError(t, err)
		assert.Equal(t, want, metadata.NodeAddresses[1].Address)
	}
}

func TestANodeWithoutAddressesIsAnErrorThatSaysWhy(t *testing.T) {
	b := newBench(t)
	b.settings.IgnoredNodeIPs = []string{"10.0.0.0/24"}
	_, err := b.InstanceMetadata(context.Background(), registered())
	problem := problemOf(t, err, ReasonNoAddress)
	assert.Contains(t, problem.Message, "10.0.0.10 is in ignoredNodeIPs")
	assert.Equal(t, []string{"Warning " + ReasonNoAddress + " " + problem.Message}, b.reasons())

	b.prism.vms[0].NICs = nil
	b.clock.Step(time.Minute)
	_, err = b.InstanceMetadata(context.Background(), registered())
	assert.Contains(t, problemOf(t, err, ReasonNoAddress).Message, "no NIC has one")
}

// TestANewAddressIsNotWaitedFor: a list that was read before the NIC had its address is no reason to initialize a node later.
func TestANewAddressIsNotWaitedFor(t *testing.T) {
	b := newBench(t)
	vm := b.prism.vms[0]
	b.prism.vms = []nutanix.VM{{UUID: vm.UUID, Name: vm.Name, CategoryUUIDs: vm.CategoryUUIDs, PrismElementUUID: vm.PrismElementUUID}}
	_, err := b.Cache.VMsOfCategory(context.Background(), ofCluster)
	require.NoError(t, err)
	b.prism.vms = []nutanix.VM{vm}
	metadata, err := b.InstanceMetadata(context.Background(), registered())
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.10", metadata.NodeAddresses[0].Address)
	assert.Equal(t, 1, b.prism.calls["VM"])
	assert.Empty(t, b.reasons())
}

func TestTheKubeletsNodeIPMustBeAnAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		given, contains string
		ok              bool
	}{
		"one of them":       {given: "10.0.0.11", ok: true},
		"dual-stack":        {given: "10.0.0.11,2001:db8::1", ok: true},
		"of nobody":         {given: "10.0.0.77", contains: "10.0.0.77"},
		"a load balancer's": {given: "10.0.0.6", contains: "10.0.0.6 is of a load balancer"},
		"not an address":    {given: "eth0", contains: "eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			b, node := newBench(t), registered()
			b.prism.vms[0].NICs[0].Learned = ips("10.0.0.11", "10.0.0.6", "2001:db8::1")
			b.balanced = func(context.Context) ([]string, error) { return []string{"10.0.0.6"}, nil }
			node.Annotations = map[string]string{cloudproviderapi.AnnotationAlphaProvidedIPAddr: tc.given}
			_, err := b.InstanceMetadata(context.Background(), node)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			assert.Contains(t, problemOf(t, err, ReasonNodeIP).Message, tc.contains)
		})
	}
}

func TestAddressesOfLoadBalancersThatCannotBeListed(t *testing.T) {
	asked, failure := 0, errors.New("networking API is away")
	list := func(context.Context) ([]string, error) {
		asked++
		return []string{"10.0.0.6"}, failure
	}
	b := newBench(t)
	b.balanced = list
	b.prism.vms[0].NICs[0].Learned = ips("10.0.0.6")
	_, err := b.InstanceMetadata(context.Background(), ready())
	require.ErrorIs(t, err, failure, "a virtual IP could become an address of the node")
	_, err = b.InstanceMetadata(context.Background(), ready())
	require.ErrorIs(t, err, failure)
	assert.Equal(t, 1, asked, "a failure is shared by all nodes too")

	failure = nil
	b.clock.Step(time.Minute)
	metadata, err := b.InstanceMetadata(context.Background(), ready())
	require.NoError(t, err)
	assert.Len(t, metadata.NodeAddresses, 2)

	failure = errors.New("networking API is away again")
	b.clock.Step(time.Minute)
	metadata, err = b.InstanceMetadata(context.Background(), ready())
	require.NoError(t, err, "the last known ones are used")
	assert.Len(t, metadata.NodeAddresses, 2)
	assert.Equal(t, 3, asked)
}

func TestWhoGivesUpWaitingForLoadBalancersDoesNotSpoilItForOthers(t *testing.T) {
	b := newBench(t)
	b.balanced = func(ctx context.Context) ([]string, error) { return nil, ctx.Err() }
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.InstanceMetadata(ctx, ready())
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.InstanceMetadata(context.Background(), ready())
	require.NoError(t, err)
}
