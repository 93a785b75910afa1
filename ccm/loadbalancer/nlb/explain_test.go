package nlb

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

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
		assert.NotErrorAs(t, err, new(*loadbalancer.Refusal))
	}
}
