package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
)

// collector finds load balancers of this cluster whose Service is gone, and reports or deletes them.
type collector struct {
	*Balancer
	// suspects were orphans in the round before.
	suspects map[orphan]bool
}

// orphan is what one backend has of an owner that does not exist.
type orphan struct {
	by config.LoadBalancerType
	Owner
	// alive: the Service exists and has changed its mind.
	alive bool
}

// collect does one round. Only what has no Service in two rounds running is an orphan. A round in which something could not be
// listed completely changes nothing.
func (c *collector) collect(ctx context.Context) {
	log := klog.FromContext(ctx)
	cluster := c.Config().ClusterName
	if cluster == "" {
		return
	}
	found, err := c.ownerless(ctx, cluster)
	if err != nil {
		log.Error(err, "Orphaned load balancers are not looked for")
		return
	}
	before := c.suspects
	c.suspects = map[orphan]bool{}
	left := 0
	for _, o := range found {
		c.suspects[o] = true
		if before[o] && !c.handle(ctx, o) {
			left++
		}
	}
	orphanGauge.Set(float64(left))
}

// ownerless lists what is in Prism Central without a Service that wants it. Services are listed after the pieces: one that is
// made meanwhile has none in the list.
func (c *collector) ownerless(ctx context.Context, cluster string) ([]orphan, error) {
	var found []orphan
	for _, name := range c.names() {
		owners, err := c.Backends[name].Owners(ctx)
		if errors.As(err, new(*Refusal)) {
			klog.FromContext(ctx).Error(err, "Orphaned load balancers of that type are not looked for", "type", name)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing owners of load balancers of type %s: %w", name, err)
		}
		for _, owner := range owners {
			if owner.Cluster == cluster && len(owner.UID) == uidLength {
				found = append(found, orphan{by: name, Owner: owner})
			}
		}
	}
	if found = c.withoutTwins(ctx, found); len(found) == 0 {
		return nil, nil
	}
	alive, err := c.alive(ctx)
	for i := range found {
		found[i].alive = alive.Has(found[i].UID)
	}
	return slices.DeleteFunc(found, func(o orphan) bool { return o.alive && !c.farewells.has(o.UID) }), err
}

// withoutTwins leaves out what belongs to another cluster that has the same name by mistake, and says so. All that has the UID of
// one Service is of one cluster: where the ID was not known at first, not every piece has it.
func (c *collector) withoutTwins(ctx context.Context, found []orphan) []orphan {
	foreign := sets.New[types.UID]()
	twins := sets.New[string]()
	for _, o := range found {
		if o.ID != "" && o.ID != c.ClusterID {
			foreign.Insert(o.UID)
			twins.Insert(o.ID)
		}
	}
	for _, id := range sets.List(twins) {
		klog.FromContext(ctx).Info("Load balancers of another cluster have the name of this one", "clusterName", c.Config().ClusterName, "of", id)
		c.reporter.Report(kubeSystem(), types.UID(id), ReasonNameTaken, fmt.Sprintf("Prism Central has load balancers of another cluster, "+
			"whose namespace kube-system has a UID that begins with %s and not with %q, and which is called %s too: they are left alone; give each "+
			"cluster a clusterName of its own", id, c.ClusterID, c.Config().ClusterName))
	}
	return slices.DeleteFunc(found, func(o orphan) bool { return foreign.Has(o.UID) })
}

// kubeSystem is what Events are about that concern no Service that exists.
func kubeSystem() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: metav1.NamespaceSystem}
}

// errNoServices keeps an API server that answers but has lost everything from making orphans of all load balancers: a cluster
// has at least the Service "kubernetes".
var errNoServices = errors.New("the API server has no Service at all")

// alive lists the UIDs of all Services as the API server has them now, which no cache knows.
func (c *collector) alive(ctx context.Context) (sets.Set[types.UID], error) {
	uids := sets.New[types.UID]()
	for page := (metav1.ListOptions{Limit: 500}); ; {
		services, err := c.Client.CoreV1().Services(corev1.NamespaceAll).List(ctx, page)
		if err != nil {
			return nil, fmt.Errorf("listing Services: %w", err)
		}
		for i := range services.Items {
			uids.Insert(services.Items[i].UID)
		}
		if page.Continue = services.Continue; page.Continue == "" {
			break
		}
	}
	if len(uids) == 0 {
		return nil, fmt.Errorf("listing Services: %w", errNoServices)
	}
	return uids, nil
}

// handle reports or deletes an orphan; gone: it is deleted. What is left of a Service that this process saw go is deleted
// always. Events are on the namespace kube-system, because there is no Service.
func (c *collector) handle(ctx context.Context, o orphan) (gone bool) {
	log := klog.FromContext(ctx).WithValues("type", o.by, "serviceUID", o.UID)
	place := kubeSystem()
	what := fmt.Sprintf("a load balancer of type %s in Prism Central, %s, belongs to a Service that does not exist or wants none any more", o.by, o.Name())
	release, err := c.locks.acquire(ctx, o.UID)
	if err != nil {
		return false
	}
	defer release()
	unfinished := c.farewells.has(o.UID)
	if o.alive && !unfinished {
		return true // it wants a load balancer again, and has this one
	}
	if c.Config().LoadBalancer.Orphans != config.OrphansDelete && !unfinished {
		log.Info("Load balancer is an orphan")
		c.reporter.Report(place, o.UID, ReasonOrphaned, what+"; set loadBalancer.orphans to Delete to have such deleted")
		return false
	}
	if err := c.Backends[o.by].Delete(ctx, o.Owner); err != nil {
		log.Error(err, "Orphaned load balancer is not deleted")
		c.reporter.Report(place, o.UID, ReasonOrphaned, what+"; deleting it failed: "+describe(err).message)
		return false
	}
	log.Info("Orphaned load balancer is deleted")
	c.reporter.Settled(o.UID)
	c.addresses.forget()
	delete(c.suspects, o)
	c.Events.Event(place, corev1.EventTypeNormal, ReasonOrphanDeleted, what+"; it is deleted")
	return true
}
