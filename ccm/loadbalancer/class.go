package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/cloud-provider/api"
	"k8s.io/klog/v2"
)

const (
	workers = 4
	// A failed Service is tried again after these times, like in the framework but sooner at first.
	minRetry = time.Second
	maxRetry = 5 * time.Minute
)

// Run serves Services by loadBalancerClass, which the framework ignores, repairs all that are served, and looks for orphans,
// until the context ends. It starts the informers that it needs.
//
// The framework calls Initialize and SetInformers of a cloud provider only after it was elected leader, and exits when it is
// not any more (k8s.io/cloud-provider/app, Run and startControllers): run from there, this is done by one process at a time.
func (b *Balancer) Run(ctx context.Context, factory informers.SharedInformerFactory) {
	c := newController(b, factory)
	synced, err := c.watch(ctx, factory)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Load balancers are not watched")
		return
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return
	}
	var group wait.Group
	for range workers {
		group.StartWithContext(ctx, c.work)
	}
	group.StartWithContext(ctx, func(ctx context.Context) { b.every(ctx, c.repair) })
	group.StartWithContext(ctx, func(ctx context.Context) { b.every(ctx, (&collector{Balancer: b}).collect) })
	<-ctx.Done()
	c.queue.ShutDown()
	group.Wait()
}

// every calls something once in every repair period, for the first time when one has passed.
func (b *Balancer) every(ctx context.Context, do func(context.Context)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.Clock.After(b.repairPeriod()):
			do(ctx)
		}
	}
}

// controller is the class controller.
type controller struct {
	*Balancer
	services corelisters.ServiceLister
	nodes    corelisters.NodeLister
	queue    workqueue.TypedRateLimitingInterface[item]
	// lonely tells of Services without nodes; the Balancer's reporter has what else is wrong with them.
	lonely *Reporter

	mu sync.Mutex
	// served are the Services of our classes as they were last served, by "<namespace>/<name>".
	served map[string]*corev1.Service
	// targets are the nodes that were last made targets.
	targets map[types.UID]targets
}

// item is something to do for a Service.
type item struct {
	// key is "<namespace>/<name>".
	key  string
	task task
}

type task string

const (
	// taskSync does the Service's duty, taskNodes looks at its targets only.
	taskSync  task = "Sync"
	taskNodes task = "Nodes"
)

func newController(b *Balancer, factory informers.SharedInformerFactory) *controller {
	return &controller{
		Balancer: b,
		lonely:   NewReporter(b.Events, b.Clock),
		services: factory.Core().V1().Services().Lister(),
		nodes:    factory.Core().V1().Nodes().Lister(),
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](minRetry, maxRetry),
			workqueue.TypedRateLimitingQueueConfig[item]{Name: "capnt-load-balancer", Clock: b.Clock},
		),
		served: map[string]*corev1.Service{}, targets: map[types.UID]targets{},
	}
}

// watch has everything enqueued that Services and Nodes ask for.
func (c *controller) watch(ctx context.Context, factory informers.SharedInformerFactory) ([]cache.InformerSynced, error) {
	services, err := factory.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(now any) { c.noticed(ctx, nil, now) },
		UpdateFunc: func(old, now any) { c.noticed(ctx, old, now) },
		DeleteFunc: func(old any) { c.enqueue(ctx, old) },
	})
	if err != nil {
		return nil, fmt.Errorf("watching Services: %w", err)
	}
	nodes, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { c.enqueueNodes() },
		UpdateFunc: func(old, now any) {
			before, ok := old.(*corev1.Node)
			after, also := now.(*corev1.Node)
			if ok && also && retargets(before, after) {
				c.enqueueNodes()
			}
		},
		DeleteFunc: func(any) { c.enqueueNodes() },
	})
	if err != nil {
		return nil, fmt.Errorf("watching Nodes: %w", err)
	}
	return []cache.InformerSynced{services.HasSynced, nodes.HasSynced}, nil
}

// noticed enqueues a Service that is new (old is nil) or changed, if there is something to do that is not only repair.
func (c *controller) noticed(ctx context.Context, old, now any) {
	after, ok := now.(*corev1.Service)
	if !ok {
		return
	}
	before, updated := old.(*corev1.Service)
	switch c.dutyOf(after) {
	case dutyServe:
		if !updated || changed(before, after) {
			c.enqueue(ctx, after)
		}
	case dutyCleanUp:
		c.enqueue(ctx, after)
	case dutyNone, dutyRepair:
	}
}

func (c *controller) enqueue(ctx context.Context, object any) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil {
		klog.FromContext(ctx).Error(err, "A Service has no key")
		return
	}
	c.queue.Add(item{key, taskSync})
}

// enqueueNodes has the targets of all Services of our classes looked at. Many changes of nodes become one look.
func (c *controller) enqueueNodes() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.served {
		c.queue.Add(item{key, taskNodes})
	}
}

func (c *controller) dutyOf(service *corev1.Service) duty {
	return dutyOf(service, c.Config().LoadBalancer.Classes)
}

// work does what is in the queue until it is shut down.
func (c *controller) work(ctx context.Context) {
	for {
		it, shutdown := c.queue.Get()
		if shutdown {
			return
		}
		c.do(ctx, it)
		c.queue.Done(it)
	}
}

func (c *controller) do(ctx context.Context, it item) {
	again, err := c.sync(ctx, it)
	var retry *api.RetryError
	switch {
	case err == nil:
		c.queue.Forget(it)
		return
	case !again || ctx.Err() != nil:
		c.queue.Forget(it)
	case errors.As(err, &retry):
		c.queue.AddAfter(item{it.key, taskSync}, retry.RetryAfter())
	default:
		c.queue.AddRateLimited(item{it.key, taskSync})
	}
	klog.FromContext(ctx).Error(err, "Load balancer is not as it should be", "service", it.key, "task", it.task)
}
