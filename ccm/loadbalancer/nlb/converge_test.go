package nlb

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

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
		"more than ours":          func(w *world) { w.sessions[0].Odd = true },
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
			var told []string
			log := funcr.New(func(_, message string) { told = append(told, message) }, funcr.Options{})
			after, err := w.backend().Ensure(klog.NewContext(t.Context(), log), service, w.nodes)
			require.NoError(t, err)
			assert.Equal(t, before, after)
			assert.Empty(t, told, "nothing was changed")
			w.mustDelete(service)
			assert.Zero(t, w.pieces())
		})
	}
}
