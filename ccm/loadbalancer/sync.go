package loadbalancer

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	cloudprovider "k8s.io/cloud-provider"
)

// sync does what is to be done for a Service; again is false when the next repair is soon enough after an error.
func (c *controller) sync(ctx context.Context, it item) (again bool, err error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(it.key)
	if err != nil {
		return false, fmt.Errorf("reading the key of a Service: %w", err)
	}
	service, err := c.services.Services(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return true, c.lost(ctx, it.key, nil)
	}
	if err != nil {
		return true, fmt.Errorf("reading Service %s: %w", it.key, err)
	}
	if err := c.lost(ctx, it.key, service); err != nil {
		return true, err
	}
	release, err := c.locks.acquire(ctx, service.UID)
	if err != nil {
		return true, err
	}
	defer release()
	if it.task == taskNodes {
		return true, c.retarget(ctx, service.DeepCopy())
	}
	service, err = c.fresh(ctx, service)
	if err != nil || service == nil {
		return true, err
	}
	switch c.dutyOf(service) {
	case dutyServe:
		return true, c.serveClass(ctx, it.key, service)
	case dutyCleanUp:
		return true, c.cleanUp(ctx, it.key, service)
	case dutyRepair:
		return false, c.repairOne(ctx, service)
	case dutyNone:
	}
	return true, nil
}

// fresh reads the Service from the API server, so that nothing is made for one that is gone; nil: it is.
func (c *controller) fresh(ctx context.Context, service *corev1.Service) (*corev1.Service, error) {
	now, err := c.Client.CoreV1().Services(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading Service %s/%s: %w", service.Namespace, service.Name, err)
	case now.UID != service.UID:
		return nil, nil
	}
	return now, nil
}

// serveClass serves a Service of one of our classes.
func (c *controller) serveClass(ctx context.Context, key string, service *corev1.Service) error {
	c.remember(key, service)
	if err := setFinalizer(ctx, c.Client, service, true); err != nil {
		return err
	}
	nodes, err := eligible(c.nodes)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		c.lonely.Report(service, service.UID, ReasonNoNodes, "there is no node that may get traffic of load balancers")
	} else {
		c.lonely.Settled(service.UID)
	}
	c.retargeted(service, nodes)
	changed, err := c.publish(ctx, service, nodes)
	if changed {
		c.Events.Event(service, corev1.EventTypeNormal, ReasonEnsured, "the load balancer is as the Service wants it")
	}
	return err
}

// repairOne ensures again what the framework serves.
func (c *controller) repairOne(ctx context.Context, service *corev1.Service) error {
	nodes, err := eligible(c.nodes)
	if err != nil {
		return err
	}
	changed, err := c.publish(ctx, service, nodes)
	if changed {
		c.Events.Event(service, corev1.EventTypeNormal, ReasonRepaired, "the status was not what the load balancer is reached by; it is now")
	}
	return err
}

// publish ensures the load balancer and writes the Service's status; changed: it was another.
func (c *controller) publish(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) (changed bool, err error) {
	status, err := c.ensure(ctx, service, nodes)
	if errors.Is(err, cloudprovider.ImplementedElsewhere) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return patchStatus(c.Client, service, status)
}

// retarget makes the nodes of now be targets of a Service that was served before, if they are others than then. What fails is
// tried again as a whole.
func (c *controller) retarget(ctx context.Context, service *corev1.Service) error {
	nodes, err := eligible(c.nodes)
	if err != nil {
		return err
	}
	if c.dutyOf(service) != dutyServe || !c.retargeted(service, nodes) {
		return nil
	}
	if err := c.update(ctx, service, nodes); !errors.Is(err, cloudprovider.ImplementedElsewhere) {
		return err
	}
	return nil
}

// cleanUp removes the load balancer, then what the Service says of it, then the finalizer.
func (c *controller) cleanUp(ctx context.Context, key string, service *corev1.Service) error {
	c.farewell(service)
	pieces, err := c.find(ctx, service, "")
	if len(pieces) > 0 {
		c.Events.Event(service, corev1.EventTypeNormal, ReasonDeleting, "the load balancer is being deleted")
		err = c.delete(ctx, service)
	} else {
		err = c.explain(service, err)
	}
	if err != nil {
		return err
	}
	if _, err := patchStatus(c.Client, service, &corev1.LoadBalancerStatus{}); err != nil {
		return err
	}
	if err := setFinalizer(ctx, c.Client, service, false); err != nil {
		return err
	}
	c.Events.Event(service, corev1.EventTypeNormal, ReasonDeleted, "the load balancer is gone")
	c.forget(key, service)
	return nil
}
