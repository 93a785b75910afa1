package nlb

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
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

// TestVirtualIPsThatCannotBeShared: one port is served, the status says which are not, and nothing is tried that would harm it.
func TestVirtualIPsThatCannotBeShared(t *testing.T) {
	w := newWorld(t)
	w.rules.exclusiveVIP = true
	service := newService(1, withPorts(tcp(80, 30080), tcp(443, 30443), udp(53, 30053)))
	for range 2 {
		status, err := w.ensure(service)
		refusal := refusalOf(t, err)
		assert.Equal(t, ReasonSharing, refusal.Reason)
		assert.Contains(t, refusal.Message, "port 443/TCP is not served")
		assert.Contains(t, refusal.Message, "port 53/UDP is not served")
		assert.Contains(t, refusal.Message, "make one Service for each port")
		require.Len(t, w.sessions, 1)
		assert.Equal(t, 80, w.sessions[0].Port)
		ports := status.Ingress[0].Ports
		require.Len(t, ports, 3)
		assert.Nil(t, ports[0].Error)
		assert.Equal(t, "nutanix.com/VirtualIPSharingRefused", *ports[1].Error)
		assert.Equal(t, "nutanix.com/VirtualIPSharingRefused", *ports[2].Error)
	}
	w.rules.exclusiveVIP = false
	status := w.mustEnsure(service)
	assert.Len(t, w.sessions, 3, "served as soon as Prism Central allows it")
	assert.Empty(t, status.Ingress[0].Ports)
}

func TestOfTwoServicesThatAskForOneAddressOneWins(t *testing.T) {
	w := newWorld(t)
	services := []*corev1.Service{newService(1, withAddress("10.0.0.50")), newService(2, withAddress("10.0.0.50"))}
	errs := make([]error, 2)
	var done sync.WaitGroup
	for i, service := range services {
		done.Go(func() { _, errs[i] = w.ensure(service) })
	}
	done.Wait()
	loser := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	require.GreaterOrEqual(t, loser, 0)
	require.NoError(t, errs[1-loser], "exactly one wins")
	assert.Len(t, w.reserved, 1)
	assert.Len(t, w.sessions, 1)

	_, err := w.ensure(services[loser])
	refusal := refusalOf(t, err)
	assert.Equal(t, ReasonAddressTaken, refusal.Reason)
	assert.True(t, refusal.Retry)
	assert.Contains(t, refusal.Message, "10.0.0.50")
	assert.Contains(t, refusal.Message, "by another Service of this cluster (UID "+string(services[1-loser].UID)+")")

	w.mustDelete(services[1-loser])
	assert.Equal(t, "10.0.0.50", w.mustEnsure(services[loser]).Ingress[0].IP, "the other takes over")
	w.noViolations()
}

func TestAnAddressThatSomebodyElseReservedIsNotTaken(t *testing.T) {
	w := newWorld(t)
	w.reserved[reservation{vipsUUID, five}] = "printer"
	_, err := w.ensure(newService(1, withAddress("10.0.0.5")))
	assert.Contains(t, refusalOf(t, err).Message, `is taken by "printer"`)
	w.mustEnsure(newService(2))
	w.mustDelete(newService(2))
	assert.Equal(t, map[reservation]string{{vipsUUID, five}: "printer"}, w.reserved)
}

// TestAnswersOfPrismBecomeRefusals: what a person can do something about is said, and it is tried again.
func TestAnswersOfPrismBecomeRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		operation    string
		kind         nutanix.Kind
		reason, says string
	}{
		"pool is empty":            {"ReserveIP", nutanix.Exhausted, ReasonAddressesExhausted, "subnet vips has no free address"},
		"address in use":           {"ReserveIP", nutanix.Conflict, ReasonAddressTaken, "a virtual machine"},
		"no more sessions":         {"CreateLoadBalancerSession", nutanix.Exhausted, ReasonSessionsExhausted, "raise the limit"},
		"listener in use":          {"CreateLoadBalancerSession", nutanix.Conflict, ReasonListenerTaken, "TCP port 80"},
		"session is invalid":       {"CreateLoadBalancerSession", nutanix.Invalid, ReasonInvalid, "create session prod-"},
		"no more floating IPs":     {"CreateFloatingIP", nutanix.Exhausted, ReasonFloatingIPsExhausted, "free one"},
		"floating IP is in use":    {"CreateFloatingIP", nutanix.Conflict, ReasonFloatingIPTaken, "another floating IP"},
		"sessions may not be made": {"CreateLoadBalancerSession", nutanix.Forbidden, ReasonForbidden, "VPC Admin"},
		"VPCs may not be read":     {"ListVPCs", nutanix.Forbidden, ReasonForbidden, "VPC Admin"},
		"sessions may not be read": {"ListLoadBalancerSessions", nutanix.Forbidden, ReasonForbidden, "VPC Admin"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			failure := fault(tc.operation, tc.kind, "says Prism")
			w.faults[tc.operation] = []error{failure, failure}
			service := newService(1, withFloatingIP, withAddress("10.0.0.5"))
			_, err := w.ensure(service)
			refusal := refusalOf(t, err)
			assert.Equal(t, tc.reason, refusal.Reason)
			assert.Contains(t, refusal.Message, tc.says)
			assert.True(t, refusal.Retry)
			require.ErrorIs(t, err, failure)
			w.faults = map[string][]error{}
			w.mustEnsure(service)
			w.mustDelete(service)
			assert.Zero(t, w.pieces())
		})
	}
}

func TestPassingFaultsAreNoRefusals(t *testing.T) {
	for _, kind := range []nutanix.Kind{nutanix.Unavailable, nutanix.Unauthorized} {
		w := newWorld(t)
		failure := fault("ReserveIP", kind, "later")
		w.faults["ReserveIP"] = []error{failure}
		_, err := w.ensure(newService(1))
		require.ErrorIs(t, err, failure)
		assert.False(t, errors.As(err, new(*loadbalancer.Refusal)))
	}
}

func TestWhatChangedMeanwhileIsReadAgain(t *testing.T) {
	service := newService(1, both, withFloatingIP)
	for name, tc := range map[string]struct {
		operation string
		do        func(w *world) error
	}{
		"update of a session":       {"UpdateLoadBalancerSession", func(w *world) error { _, err := w.ensure(newService(1, withPorts(tcp(80, 1), udp(53, 2)))); return err }},
		"deletion of a session":     {"DeleteLoadBalancerSession", func(w *world) error { _, err := w.ensure(newService(1)); return err }},
		"update of a floating IP":   {"UpdateFloatingIP", func(w *world) error { _, err := w.ensure(newService(1, withFloatingIP)); return err }},
		"deletion of a floating IP": {"DeleteFloatingIP", func(w *world) error { return w.change(1, nil) }},
		"deletion of everything":    {"DeleteLoadBalancerSession", func(w *world) error { return w.change(1, nil) }},
		"targets":                   {"UpdateLoadBalancerSession", func(w *world) error { return w.backend().UpdateNodes(context.Background(), service, w.nodes[:1]) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustEnsure(service)
			stale := fault(tc.operation, nutanix.Stale, "etag mismatch")
			w.faults[tc.operation] = []error{stale, stale}
			require.NoError(t, tc.do(w))
			assert.Empty(t, w.faults[tc.operation])
			w.faults[tc.operation] = slices.Repeat([]error{stale}, 100)
			w.mustDeleteAfter(tc.operation, service, tc.do)
		})
	}
}

// mustDeleteAfter proves that a conflict that does not end is an error in the end, and does no harm.
func (w *world) mustDeleteAfter(operation string, service *corev1.Service, do func(*world) error) {
	fresh := newWorld(w.t)
	fresh.mustEnsure(service)
	fresh.faults = w.faults
	err := do(fresh)
	require.ErrorContains(w.t, err, "keeps changing")
	assert.Len(w.t, fresh.faults[operation], 100-maxRounds)
	fresh.faults = map[string][]error{}
	fresh.mustDelete(service)
	assert.Zero(w.t, fresh.pieces())
}

func TestDriftIsRepaired(t *testing.T) {
	service := newService(1, both, withFloatingIP)
	for name, spoil := range map[string]func(w *world){
		"session deleted":         func(w *world) { w.sessions = w.sessions[1:] },
		"targets changed":         func(w *world) { w.sessions[0].Targets = nil },
		"target port changed":     func(w *world) { w.sessions[0].Targets[0].Port = 1 },
		"health check changed":    func(w *world) { w.sessions[0].HealthCheck.IntervalSeconds = 1 },
		"listener changed":        func(w *world) { w.sessions[0].Port = 81 },
		"virtual IP changed":      func(w *world) { w.sessions[0].VirtualIP = netip.MustParseAddr("10.0.0.99") },
		"session doubled":         func(w *world) { w.sessions = append(w.sessions, doubled(w.sessions[0], w.uuid())) },
		"floating IP deleted":     func(w *world) { w.floatingIPs = nil },
		"floating IP led nowhere": func(w *world) { w.floatingIPs[0].PrivateIP = netip.Addr{} },
		"floating IP doubled":     func(w *world) { w.floatingIPs = append(w.floatingIPs, w.floatingIPs[0]); w.floatingIPs[1].UUID = "f2" },
		"second address reserved": func(w *world) {
			w.reserved[reservation{otherVIPs, six}] = loadbalancer.OwnerOf(cluster, service).Context()
		},
		"all sessions are deleted": func(w *world) { w.sessions = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.mustEnsure(service)
			want := w.picture()
			spoil(w)
			require.NotEqual(t, want, w.picture())
			after := w.mustEnsure(service)
			assert.Equal(t, want, w.picture())
			if name != "floating IP deleted" {
				assert.Equal(t, before, after, "clients keep their address")
			}
		})
	}
}

func doubled(s nutanix.LoadBalancerSession, uuid string) nutanix.LoadBalancerSession {
	s.UUID = uuid
	s.VirtualIP = netip.MustParseAddr("10.0.0.99")
	return s
}

// TestALostReservationKeepsTheAddress: it cannot be reserved again while a session has it, and need not be.
func TestALostReservationKeepsTheAddress(t *testing.T) {
	for name, service := range map[string]*corev1.Service{"any address": newService(1), "that address": newService(1, withAddress("10.0.0.1"))} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.mustEnsure(service)
			clear(w.reserved)
			assert.Equal(t, before, w.mustEnsure(service))
			w.mustDelete(service)
			assert.Zero(t, w.pieces())
		})
	}
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
