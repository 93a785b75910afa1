package loadbalancer

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
)

// piece is what one backend has of a Service.
type piece struct {
	by     config.LoadBalancerType
	status *corev1.LoadBalancerStatus
}

// find lists what all backends but one have of the Service. With an error the list holds what was found all the same. A backend
// that refuses, because it is configured wrongly, is passed over unless there is reason to think that it has something.
func (b *Balancer) find(ctx context.Context, service *corev1.Service, except config.LoadBalancerType) ([]piece, error) {
	var pieces []piece
	var errs []error
	for _, name := range b.names() {
		if name == except {
			continue
		}
		status, found, err := b.Backends[name].Status(ctx, service)
		if b.isNeedless(ctx, name, service, err) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("looking for load balancer of type %s: %w", name, err))
		}
		if status == nil {
			status = &corev1.LoadBalancerStatus{}
		}
		if err == nil && found {
			pieces = append(pieces, piece{name, status})
		}
	}
	return pieces, errors.Join(errs...)
}

// isNeedless reports whether an error is the Refusal of a backend that most probably has nothing of the Service: another type is
// to serve it, as far as can be seen, and did so last. What is left there all the same is an orphan when the backend is
// configured rightly again.
func (b *Balancer) isNeedless(ctx context.Context, name config.LoadBalancerType, service *corev1.Service, err error) bool {
	if !errors.As(err, new(*Refusal)) {
		return false
	}
	by, known := b.census.of(service.UID)
	chosen, invalid := choose(b.Config(), service)
	if by == name || !known && (invalid != nil || chosen == name || service.Spec.Type != corev1.ServiceTypeLoadBalancer) {
		return false // once it is no load balancer any more, its class is gone
	}
	klog.FromContext(ctx).Error(err, "Load balancers of that type are not looked for", "type", name, "service", klog.KObj(service))
	return true
}

// serve ensures with the chosen backend, and then removes what other backends have of the Service: when its type changed, the
// old load balancer serves until the new one does, and goes on serving while the new one is refused. They share no address:
// those of type nlb are in subnets of a VPC, those of type ipam in VLAN subnets.
func (b *Balancer) serve(ctx context.Context, chosen config.LoadBalancerType, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	backend, err := b.backend(chosen)
	if err != nil {
		return nil, err
	}
	others, err := b.find(ctx, service, chosen)
	if err != nil && !errors.As(err, new(*Refusal)) {
		return nil, err
	}
	if err != nil {
		// Another type that is not configured rightly is no reason to leave this Service unserved. Repair looks again.
		klog.FromContext(ctx).Error(err, "Load balancers of other types are not looked for", "service", klog.KObj(service))
	}
	status, refused := backend.Ensure(ctx, without(service, others), nodes)
	if refused != nil && (status == nil || !errors.As(refused, new(*Refusal))) {
		return nil, refused
	}
	for _, other := range others {
		if err := b.remove(ctx, other.by, service); err != nil {
			return nil, err
		}
		b.Events.Eventf(service, corev1.EventTypeNormal, ReasonTypeChanged, "the load balancer is of type %s now; that of type %s is gone", chosen, other.by)
	}
	return status, refused
}

// leave removes what any backend has of a Service that none is to serve, and answers that somebody else does. The status is
// cleared first: when nothing is found any more, it is that of somebody else.
func (b *Balancer) leave(ctx context.Context, service *corev1.Service) error {
	pieces, err := b.find(ctx, service, "")
	if err != nil {
		return err
	}
	if len(pieces) > 0 {
		cleared := without(service, pieces)
		if _, err := patchStatus(b.Client, service, &cleared.Status.LoadBalancer); err != nil {
			return err
		}
	}
	for _, p := range pieces {
		if err := b.remove(ctx, p.by, service); err != nil {
			return err
		}
		b.Events.Eventf(service, corev1.EventTypeNormal, ReasonTypeChanged, "the load balancer of type %s is gone; none is to serve this Service", p.by)
	}
	b.census.set(service.UID, config.LoadBalancerNone)
	return cloudprovider.ImplementedElsewhere
}
