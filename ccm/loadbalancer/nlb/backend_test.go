package nlb

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

func TestStatusIsTheFloatingIPOrElseTheVirtualIP(t *testing.T) {
	vip, proxy := corev1.LoadBalancerIPModeVIP, corev1.LoadBalancerIPModeProxy
	for name, tc := range map[string]struct {
		ipMode  string
		service *corev1.Service
		want    corev1.LoadBalancerIngress
	}{
		"virtual IP":  {"", newService(1), corev1.LoadBalancerIngress{IP: "10.0.0.1", IPMode: &vip}},
		"floating IP": {"VIP", newService(1, both, withFloatingIP), corev1.LoadBalancerIngress{IP: "203.0.113.3", IPMode: &vip}},
		"proxy mode":  {"Proxy", newService(1), corev1.LoadBalancerIngress{IP: "10.0.0.1", IPMode: &proxy}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.LoadBalancer.NLB.IPMode = tc.ipMode
			_, found, err := w.backend().Status(context.Background(), tc.service)
			require.NoError(t, err)
			assert.False(t, found)
			want := &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{tc.want}}
			assert.Equal(t, want, w.mustEnsure(tc.service))
			assert.Equal(t, want, w.mustEnsure(tc.service), "a second time")
			status, found, err := w.backend().Status(context.Background(), tc.service)
			require.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, want, status)
		})
	}
}

func TestFloatingIPFollowsTheConfigurationUnlessTheServiceSaysOtherwise(t *testing.T) {
	w := newWorld(t)
	w.cfg.LoadBalancer.NLB.FloatingIP = true
	w.mustEnsure(newService(1))
	assert.Len(t, w.floatingIPs, 1)
	w.mustEnsure(newService(1, annotated(loadbalancer.AnnotationFloatingIP, "false")))
	assert.Empty(t, w.floatingIPs)
	w.cfg.LoadBalancer.NLB.FloatingIP, w.cfg.LoadBalancer.NLB.ExternalSubnet = false, nil
	_, err := w.ensure(newService(1, withFloatingIP))
	assert.Contains(t, refusalOf(t, err).Message, "loadBalancer.nlb.externalSubnet")
}

// TestASubnetThatIsNotNamedAnyMoreIsKept: clients keep their address, and new Services go where the configuration says.
func TestASubnetThatIsNotNamedAnyMoreIsKept(t *testing.T) {
	w := newWorld(t)
	inDefault, named1, fresh := newService(1, both, withFloatingIP), newService(2, withSubnet("more-vips")), newService(3)
	w.mustEnsure(inDefault)
	w.mustEnsure(named1)
	w.reserved[reservation{otherVIPs, netip.MustParseAddr("10.1.0.200")}] = loadbalancer.OwnerOf(cluster, newService(4)).Context()
	before := w.picture()
	w.cfg.LoadBalancer.NLB.Subnet = named("nodes")
	w.mustEnsure(inDefault)
	w.mustEnsure(newService(2))
	assert.Equal(t, before, w.picture())
	assert.Equal(t, "10.2.0.1", w.mustEnsure(fresh).Ingress[0].IP)
	assert.Equal(t, "10.1.0.200", w.mustEnsure(newService(4)).Ingress[0].IP, "an address that was only reserved is one too")
	assert.Equal(t, "10.2.0.2", w.mustEnsure(newService(1, withSubnet("nodes"))).Ingress[0].IP, "named, it moves")
	w.noViolations()
}

func TestNodesAreKeptInStep(t *testing.T) {
	w := newWorld(t)
	service := newService(1, both)
	w.mustEnsure(service)
	w.sessions = append(w.sessions, nutanix.LoadBalancerSession{UUID: "x", Name: name + "-tcp-9", VirtualIP: w.sessions[0].VirtualIP, SubnetUUID: vipsUUID})
	w.reset()
	update := func(nodes ...*corev1.Node) {
		t.Helper()
		require.NoError(t, w.backend().UpdateNodes(context.Background(), service, nodes))
	}
	update(w.nodes[0], w.nodes[2])
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic-0-0", Port: 30080}, {NICUUID: "nic-2-0", Port: 30080}}, w.sessions[0].Targets)
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic-0-0", Port: 30053}, {NICUUID: "nic-2-0", Port: 30053}}, w.sessions[1].Targets)
	update()
	assert.Empty(t, w.sessions[0].Targets)
	update(w.nodes...)
	assert.Len(t, w.sessions[0].Targets, 3)
	w.reset()
	update(w.nodes...)
	assert.Equal(t, []string{"ListVPCs", "ListSubnets", "ListCategories " + categoryKey, "ListVMs", "ListLoadBalancerSessions"}, w.calls,
		"what is as wanted is not written, and what is too much is not touched")
	assert.Len(t, w.sessions, 3)
}

func TestNodesOfAServiceThatIsRefusedNowAreKeptInStep(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1))
	refused := newService(1, spec(func(s *corev1.ServiceSpec) { s.SessionAffinity = corev1.ServiceAffinityClientIP }))
	require.NoError(t, w.backend().UpdateNodes(context.Background(), refused, w.nodes[:1]))
	assert.Len(t, w.sessions[0].Targets, 1)
}

func TestTargetsStayWhenPrismDoesNotKnowTheVMs(t *testing.T) {
	for _, operation := range []string{"ListCategories", "ListVMs", "VM"} {
		w := newWorld(t)
		w.mustEnsure(newService(1))
		before := w.picture()
		w.vms[0].CategoryUUIDs = nil
		w.faults[operation] = []error{fault(operation, nutanix.Unavailable, "bad gateway"), fault(operation, nutanix.Unavailable, "bad gateway")}
		require.Error(t, w.backend().UpdateNodes(context.Background(), newService(1), w.nodes))
		_, err := w.ensure(newService(1))
		require.Error(t, err)
		assert.Equal(t, before, w.picture())
	}
}

func TestOwnersAndAddressesAreThoseOfTheCluster(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1, withFloatingIP))
	w.mustEnsure(newService(2, withSubnet("more-vips")))
	onlyReserved := loadbalancer.OwnerOf(cluster, newService(3))
	w.reserved[reservation{vipsUUID, five}] = onlyReserved.Context()
	foreign := loadbalancer.Owner{Cluster: "prod-eu", UID: newService(4).UID}
	w.reserved[reservation{vipsUUID, six}] = foreign.Context()
	w.sessions = append(w.sessions, nutanix.LoadBalancerSession{UUID: "x", Name: foreign.Name() + "-tcp-80", VirtualIP: six, SubnetUUID: vipsUUID})
	w.floatingIPs = append(w.floatingIPs, nutanix.FloatingIP{UUID: "y", Name: "prod-by-hand", Address: netip.MustParseAddr("203.0.113.99")})

	owners, err := w.backend().Owners(context.Background())
	require.NoError(t, err)
	assert.Equal(t, []loadbalancer.Owner{loadbalancer.OwnerOf(cluster, newService(1)), loadbalancer.OwnerOf(cluster, newService(2)), onlyReserved}, owners)
	addresses, err := w.backend().Addresses(context.Background())
	require.NoError(t, err)
	assert.Equal(t, []string{"10.0.0.1", "10.0.0.5", "10.1.0.1", "203.0.113.2"}, addresses)

	for _, owner := range owners {
		require.NoError(t, w.backend().Delete(context.Background(), owner))
	}
	assert.Equal(t, 3, w.pieces(), "what belongs to others stays")
}

// A cluster may have load balancers of type ipam only: what asks all backends must not fail because of this one.
func TestWithoutItsSectionThereIsNothing(t *testing.T) {
	w := newWorld(t)
	w.cfg.LoadBalancer.NLB = nil
	b, service, ctx := w.backend(), newService(1), context.Background()
	_, found, err := b.Status(ctx, service)
	require.NoError(t, err)
	assert.False(t, found)
	require.NoError(t, b.Delete(ctx, loadbalancer.OwnerOf(cluster, service)))
	owners, err := b.Owners(ctx)
	require.NoError(t, err)
	assert.Empty(t, owners)
	addresses, err := b.Addresses(ctx)
	require.NoError(t, err)
	assert.Empty(t, addresses)
	assert.Empty(t, w.calls, "nothing is asked of Prism Central")
}

// What was made while the ID was not known lacks it in its mark. Two clusters with one name do not touch each other's.
func TestWhatHasNoIDIsTakenOverAndWhatATwinHasIsNot(t *testing.T) {
	w := newWorld(t)
	service := newService(1, withFloatingIP)
	before := w.mustEnsure(service)
	w.clusterID = "0a1b2c3d"
	assert.Equal(t, before, w.mustEnsure(service), "clients keep their address")
	require.Len(t, w.sessions, 1)
	assert.Equal(t, "prod-dddddddd-0000-4000-8000-000000000001-0a1b2c3d-tcp-80", w.sessions[0].Name)
	w.mustEnsure(newService(2))
	owners, err := w.backend().Owners(context.Background())
	require.NoError(t, err)
	ours := loadbalancer.OwnerOf(cluster, newService(1))
	assert.Equal(t, []loadbalancer.Owner{ours, ours.In("0a1b2c3d"), loadbalancer.OwnerOf(cluster, newService(2)).In("0a1b2c3d")}, owners)

	pieces := w.pieces()
	require.NoError(t, w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(2)).In("ffffffff")))
	assert.Equal(t, pieces, w.pieces())
	for _, number := range []int{1, 2} {
		require.NoError(t, w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(number)).In("0a1b2c3d")))
	}
	assert.Zero(t, w.pieces())
	w.noViolations()
}
