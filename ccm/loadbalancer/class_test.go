package loadbalancer

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servicehelper "k8s.io/cloud-provider/service/helpers"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

const class = "nutanix.com/nlb"

func TestServiceOfOurClassLivesAndDies(t *testing.T) {
	p := newPlane(t)
	p.start(false)
	service := p.create("web", class)
	address := p.served(service, p.nlb)

	ensured := p.nlb.made("Ensure web")
	p.patch(service, `{"spec":{"ports":[{"port":81,"targetPort":8080}]}}`)
	p.eventually("ensured again because its ports changed", func() bool { return p.nlb.made("Ensure web") > ensured })
	ensured = p.nlb.made("Ensure web")
	p.patch(service, `{"metadata":{"annotations":{"nutanix.com/load-balancer-floating-ip":"true"}}}`)
	p.eventually("ensured again because its annotations changed", func() bool { return p.nlb.made("Ensure web") > ensured })
	assert.Equal(t, address, p.served(service, p.nlb), "the address is kept")

	p.delete(service)
	p.eventually("gone", func() bool { return p.read(service) == nil })
	p.gone(service)
	p.eventually("told", func() bool { return p.events.count(ReasonDeleted) == 1 })
}

func TestServicesOfOthersAreLeftAlone(t *testing.T) {
	p := newPlane(t)
	p.start(false)
	foreign, plain := p.create("foreign", "example.com/other"), p.create("plain", "")
	ours := p.create("ours", class)
	p.served(ours, p.nlb)
	for _, service := range []*corev1.Service{foreign, plain} {
		assert.Empty(t, p.read(service).Finalizers)
		assert.Zero(t, p.nlb.made("Ensure "+service.Name))
	}
	p.patch(foreign, `{"metadata":{"finalizers":["`+servicehelper.LoadBalancerCleanupFinalizer+`"]}}`)
	p.delete(foreign)
	p.delete(ours)
	p.eventually("ours is gone", func() bool { return p.read(ours) == nil })
	assert.NotNil(t, p.read(foreign), "its controller has to clean up")
}

func TestServiceThatStopsBeingALoadBalancerIsCleanedUp(t *testing.T) {
	p := newPlane(t)
	p.start(false)
	service := p.create("web", class)
	p.served(service, p.nlb)
	p.patch(service, `{"spec":{"type":"ClusterIP"}}`)
	p.gone(service)
	p.eventually("its finalizer is removed", func() bool { return len(p.read(service).Finalizers) == 0 })
	assert.Empty(t, p.read(service).Status.LoadBalancer.Ingress)

	p.patch(service, `{"spec":{"type":"LoadBalancer","loadBalancerClass":"nutanix.com/ipam"}}`)
	p.served(service, p.ipam)
	p.ipam.order()
	p.patch(service, `{"spec":{"type":"NodePort"}}`)
	p.gone(service)
	calls := p.ipam.order()
	calls = calls[slices.Index(calls, "Status web"):] // it may have been ensured once more before
	assert.Equal(t, []string{"Status web", "Withdraw web", "Delete"}, calls[:3])
}

func TestTargetsFollowTheNodes(t *testing.T) {
	p := newPlane(t)
	p.node("n1")
	p.start(false)
	service := p.create("web", class)
	p.served(service, p.nlb)
	p.targeted(service, "n1")
	ensured := p.nlb.made("Ensure web")

	p.node("n2")
	p.targeted(service, "n1", "n2")
	change := func(name, patch string) {
		_, err := server.CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	change("n1", `{"metadata":{"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":""}}}`)
	p.targeted(service, "n2")
	change("n1", `{"metadata":{"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":null}}}`)
	p.targeted(service, "n1", "n2")
	updated := p.nlb.made("UpdateNodes web")
	change("n1", `{"spec":{"providerID":"nutanix://11111111-0000-0000-0000-000000000000"}}`)
	p.eventually("the node became another VM", func() bool { return p.nlb.made("UpdateNodes web") > updated })
	require.NoError(t, server.CoreV1().Nodes().Delete(t.Context(), "n2", metav1.DeleteOptions{}))
	p.targeted(service, "n1")
	assert.Equal(t, ensured, p.nlb.made("Ensure web"), "nothing but the targets was changed")

	p.nlb.script("UpdateNodes", &nutanix.Error{Kind: nutanix.Unavailable})
	p.node("n3")
	p.targeted(service, "n1", "n3")
	assert.Greater(t, p.nlb.made("Ensure web"), ensured, "what failed was ensured as a whole")
}

func TestFailureIsTriedAgainAndToldOnce(t *testing.T) {
	p := newPlane(t)
	p.nlb.script("Ensure", &nutanix.Error{Operation: "ReserveIP", Kind: nutanix.Exhausted})
	p.start(false)
	service := p.create("web", class)
	p.eventually("tried again", func() bool { return p.nlb.made("Ensure web") >= 3 })
	assert.Equal(t, 1, p.events.count(ReasonPrismExhausted))
	assert.True(t, servicehelper.HasLBFinalizer(p.read(service)), "it has it before anything is made")
	p.nlb.script("Ensure", nil)
	p.served(service, p.nlb)

	p.nlb.script("Delete", &nutanix.Error{Operation: "UnreserveIPs", Kind: nutanix.Unavailable, RetryAfter: time.Second})
	p.delete(service)
	p.eventually("deletion is tried again", func() bool { return p.nlb.made("Delete") >= 2 })
	require.NotNil(t, p.read(service), "the Service stays until its load balancer is gone")
	p.nlb.script("Delete", nil)
	p.eventually("gone", func() bool { return p.read(service) == nil })
	p.gone(service)
}

func TestServiceThatChangedOrWentWhileNobodyLookedIsCleanedUp(t *testing.T) {
	p := newPlane(t)
	p.start(false)
	deleted, changed := p.create("deleted", class), p.create("changed", class)
	p.served(deleted, p.nlb)
	p.served(changed, p.nlb)
	p.stop()
	p.delete(deleted)
	p.patch(changed, `{"spec":{"type":"ClusterIP"}}`)
	p.start(false)
	p.gone(deleted)
	p.gone(changed)
	p.eventually("gone", func() bool { return p.read(deleted) == nil })
}

func TestServiceWhoseFinalizerWasTakenAwayLeaksNothing(t *testing.T) {
	p := newPlane(t)
	p.start(false)
	service := p.create("web", class)
	p.served(service, p.nlb)
	p.patch(service, `{"metadata":{"finalizers":null}}`)
	p.eventually("it comes back", func() bool { return servicehelper.HasLBFinalizer(p.read(service)) })
	// The finalizer is gone by the time the deletion is looked at.
	release, err := p.hold(service)
	require.NoError(t, err)
	p.delete(service)
	p.patch(service, `{"metadata":{"finalizers":null}}`)
	again := p.create("web", class)
	release()
	p.gone(service)
	p.served(again, p.nlb)
}

func TestClassIsServedSinceTheConfigurationNamesIt(t *testing.T) {
	p := newPlane(t)
	p.reload(func(lb *config.LoadBalancer) { lb.RepairPeriod.Duration = 100 * time.Millisecond })
	p.start(false)
	service := p.create("web", "example.com/late")
	p.reload(func(lb *config.LoadBalancer) {
		lb.Classes = map[string]config.LoadBalancerType{"example.com/late": config.LoadBalancerNLB}
	})
	p.served(service, p.nlb)
}

// hold keeps the Service's lock of the running Balancer.
func (p *plane) hold(service *corev1.Service) (release func(), err error) {
	return p.balancer.locks.acquire(context.Background(), service.UID)
}
