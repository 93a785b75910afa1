package loadbalancer

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/component-base/metrics/testutil"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// often has everything repaired and orphans looked for often.
func often(lb *config.LoadBalancer) { lb.RepairPeriod.Duration = 50 * time.Millisecond }

func TestFrameworkServesAndTheClassControllerBesideIt(t *testing.T) {
	p := newPlane(t)
	p.node("n1")
	p.start(true)
	plain, classed := p.create("plain", ""), p.create("classed", "nutanix.com/ipam")
	p.served(plain, p.nlb)
	p.served(classed, p.ipam)
	p.targeted(plain, "n1")

	p.patch(plain, `{"metadata":{"annotations":{"nutanix.com/load-balancer-type":"ipam"}}}`)
	p.eventually("the type is changed", func() bool {
		one, _ := p.nlb.has(plain)
		other, _ := p.ipam.has(plain)
		return one == "" && other != "" && len(p.read(plain).Status.LoadBalancer.Ingress) == 0
	})
	p.patch(plain, `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, "status")
	p.patch(plain, `{"metadata":{"annotations":{"nutanix.com/load-balancer-type":"none"}}}`)
	p.gone(plain)
	assert.Equal(t, "192.0.2.1", p.read(plain).Status.LoadBalancer.Ingress[0].IP, "the status of somebody else stays")
	p.patch(plain, `{"metadata":{"annotations":{"nutanix.com/load-balancer-type":null}}}`)
	p.served(plain, p.nlb)

	p.patch(classed, `{"spec":{"type":"ClusterIP"}}`)
	p.gone(classed)
	p.delete(plain)
	p.delete(classed)
	p.eventually("both are gone", func() bool { return p.read(plain) == nil && p.read(classed) == nil })
	p.gone(plain)
	assert.Empty(t, p.nlb.holds())
	assert.Empty(t, p.ipam.holds())
}

func TestDeletionGoesOnUntilTheLastPieceIsGone(t *testing.T) {
	p := newPlane(t)
	p.start(true)
	service := p.create("web", "")
	p.served(service, p.nlb)
	// A piece of another type that a change of type left.
	p.ipam.hold(owner(service), "10.2.0.9")
	p.nlb.hold(owner(service), "")
	p.delete(service)
	p.eventually("gone", func() bool { return p.read(service) == nil })
	p.gone(service)
}

func TestDriftIsRepairedWhoeverServes(t *testing.T) {
	for name, class := range map[string]string{"framework": "", "class": "nutanix.com/nlb"} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.reload(often)
			p.start(true)
			service := p.create("web", class)
			p.served(service, p.nlb)

			p.nlb.hold(owner(service), "")
			p.served(service, p.nlb)
			p.patch(service, `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, "status")
			p.served(service, p.nlb)
			if class == "" {
				assert.Positive(t, p.events.count(ReasonRepaired))
			}
			p.delete(service)
			p.eventually("gone", func() bool { return p.read(service) == nil })
			p.gone(service)
		})
	}
}

func TestRepairIsSpreadOverThePeriod(t *testing.T) {
	d := newDesk(t)
	d.config.LoadBalancer.RepairPeriod.Duration = 4 * time.Minute
	factory := informers.NewSharedInformerFactory(d.Client, 0)
	c := newController(d.Balancer, factory)
	t.Cleanup(c.queue.ShutDown)
	for i, class := range []string{class, "nutanix.com/ipam", class, class, "example.com/other"} {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i))}}
		service.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: &class}
		require.NoError(t, factory.Core().V1().Services().Informer().GetStore().Add(service))
	}
	c.repair(t.Context())
	for ready := 1; ready <= 4; ready++ {
		require.Eventually(t, func() bool { return c.queue.Len() == ready }, deadline, time.Millisecond)
		// The next one is waited for only when the queue has looked at it, which it does when it asks for the time.
		require.Eventually(t, func() bool { return d.clock.HasWaiters() }, deadline, time.Millisecond)
		d.clock.Step(time.Minute)
	}
	assert.Equal(t, 4, c.queue.Len(), "what is somebody else's is not repaired")
}

func TestOrphansAreReportedOrDeletedAndNothingElse(t *testing.T) {
	const gone = types.UID("dddddddd-0000-0000-0000-000000000001")
	p := newPlane(t)
	p.reload(often)
	alive := p.create("alive", "example.com/other")
	for _, owner := range []Owner{{Cluster: "prod", UID: gone}, {Cluster: "test", UID: gone}, {Cluster: "prod", UID: "not-a-uid"}, OwnerOf("prod", alive)} {
		p.nlb.hold(owner, "10.1.0.9")
	}
	p.start(false)
	p.eventually("reported", func() bool { return orphansMeasured(t) == 1 })
	assert.Zero(t, p.nlb.made("Delete"), "they are only reported")
	assert.Equal(t, 1, p.events.count(ReasonOrphaned))

	p.reload(func(lb *config.LoadBalancer) { lb.Orphans = config.OrphansDelete })
	p.eventually("deleted", func() bool { return orphansMeasured(t) == 0 })
	assert.Equal(t, 1, p.nlb.made("Delete"))
	p.stop()
	assert.Equal(t, map[Owner]string{{Cluster: "test", UID: gone}: "10.1.0.9", {Cluster: "prod", UID: "not-a-uid"}: "10.1.0.9", OwnerOf("prod", alive): "10.1.0.9"}, p.nlb.holds())
}

func TestServiceWithoutNodesIsToldOfOnce(t *testing.T) {
	p := newPlane(t)
	p.reload(often)
	p.start(false)
	service := p.create("web", class)
	p.served(service, p.nlb)
	p.eventually("served again", func() bool { return p.nlb.made("Ensure web") > 3 })
	assert.Equal(t, 1, p.events.count(ReasonNoNodes))
}

func orphansMeasured(t *testing.T) int {
	value, err := testutil.GetGaugeMetricValue(orphanGauge)
	require.NoError(t, err)
	return int(value)
}

func TestOrphanMustBeOneInTwoRoundsRunning(t *testing.T) {
	orphaned := Owner{Cluster: "prod", UID: "dddddddd-0000-0000-0000-000000000001"}
	d := newDesk(t)
	d.config.LoadBalancer.Orphans = config.OrphansDelete
	c := &collector{Balancer: d.Balancer}
	round := func() int {
		c.collect(t.Context())
		return d.nlb.made("Delete")
	}
	d.nlb.hold(orphaned, "10.1.0.9")
	assert.Equal(t, 0, round(), "first round")
	d.nlb.hold(orphaned, "")
	assert.Equal(t, 0, round(), "it was not there")
	d.nlb.hold(orphaned, "10.1.0.9")
	assert.Equal(t, 0, round(), "first round again")
	d.ipam.script("Owners", &nutanix.Error{Kind: nutanix.Unavailable})
	assert.Equal(t, 0, round(), "a round without an answer is none")
	d.ipam.script("Owners", nil)
	d.nlb.script("Delete", &nutanix.Error{Kind: nutanix.Unavailable})
	assert.Equal(t, 1, round(), "second round, and deletion fails")
	d.nlb.script("Delete", nil)
	assert.Equal(t, 2, round())
	assert.Empty(t, d.nlb.holds())
	assert.Equal(t, 2, round(), "it is gone")
}

// A piece that Prism Central was still making when nothing was found: whether the Service is deleted or lives on without a load
// balancer, and although orphans are only reported.
func TestPieceThatComesAfterTheFarewellIsDeleted(t *testing.T) {
	d := newDesk(t)
	c := &collector{Balancer: d.Balancer}
	d.service.Spec.Type = corev1.ServiceTypeClusterIP
	_, found, err := d.GetLoadBalancer(t.Context(), "", d.service)
	require.NoError(t, err)
	require.False(t, found)
	d.nlb.hold(owner(d.service), "10.1.0.9")
	c.collect(t.Context())
	assert.Len(t, d.nlb.holds(), 1, "first round")
	c.collect(t.Context())
	assert.Empty(t, d.nlb.holds())

	d.nlb.hold(owner(d.service), "10.1.0.9")
	c.collect(t.Context())
	d.service.Spec.Type = corev1.ServiceTypeLoadBalancer
	require.NoError(t, d.ensure(t))
	d.config.LoadBalancer.Orphans = config.OrphansDelete
	c.collect(t.Context())
	c.collect(t.Context())
	assert.Len(t, d.nlb.holds(), 1, "it wants a load balancer again")

	d.service.Spec.Type = corev1.ServiceTypeClusterIP
	_, _, err = d.GetLoadBalancer(t.Context(), "", d.service)
	require.NoError(t, err)
	other := d.service.DeepCopy()
	other.UID = "aaaaaaaa-0000-0000-0000-000000000002"
	d.config.LoadBalancer.RepairPeriod.Duration = time.Hour
	d.clock.Step(2 * time.Hour)
	d.farewell(other)
	assert.True(t, d.farewells.has(d.service.UID), "orphans have been looked for once since")
	d.config.LoadBalancer.RepairPeriod.Duration = time.Minute
	d.farewell(other)
	assert.False(t, d.farewells.has(d.service.UID), "it is not remembered for ever")
}

func TestNothingIsAnOrphanWhenTheAPIServerHasLostEverything(t *testing.T) {
	d := newDesk(t)
	d.config.LoadBalancer.Orphans = config.OrphansDelete
	require.NoError(t, d.Client.CoreV1().Services("default").Delete(t.Context(), "web", metav1.DeleteOptions{}))
	d.nlb.hold(Owner{Cluster: "prod", UID: "dddddddd-0000-0000-0000-000000000001"}, "10.1.0.9")
	c := &collector{Balancer: d.Balancer}
	for range 3 {
		c.collect(t.Context())
	}
	assert.Len(t, d.nlb.holds(), 1)
}

func TestServedServicesAreCountedByType(t *testing.T) {
	count := func(of config.LoadBalancerType) int {
		value, err := testutil.GetGaugeMetricValue(servedGauge.WithLabelValues(string(of)))
		require.NoError(t, err)
		return int(value)
	}
	d := newDesk(t)
	require.NoError(t, d.ensure(t))
	assert.Equal(t, []int{1, 0}, []int{count(config.LoadBalancerNLB), count(config.LoadBalancerIPAM)})
	d.service.Annotations[AnnotationType] = "ipam"
	require.NoError(t, d.ensure(t))
	assert.Equal(t, []int{0, 1}, []int{count(config.LoadBalancerNLB), count(config.LoadBalancerIPAM)})
	require.NoError(t, d.EnsureLoadBalancerDeleted(t.Context(), "", d.service))
	assert.Equal(t, []int{0, 0}, []int{count(config.LoadBalancerNLB), count(config.LoadBalancerIPAM)})
}
