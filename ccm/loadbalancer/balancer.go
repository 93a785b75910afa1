package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/config"
)

// Options are what a Balancer is made of.
type Options struct {
	Backends map[config.LoadBalancerType]Backend
	// Config gives the configuration of now, so that a reload takes effect at the next call.
	Config func() config.Config
	// ClusterID is in the marks of what is made; see ClusterID. Empty: it is not known.
	ClusterID string
	Client    kubernetes.Interface
	Events    record.EventRecorder
	// Clock is the real one when it is nil.
	Clock clock.WithTicker
}

// Balancer implements cloudprovider.LoadBalancer: for each Service it finds the backend that serves it, and sees to it that no
// other backend does. The cluster name that the framework passes is not used; the configuration's is.
type Balancer struct {
	Options
	locks     locks
	reporter  *Reporter
	census    census
	farewells farewells
	addresses *addressCache
}

var _ cloudprovider.LoadBalancer = &Balancer{}

// New makes a Balancer. It asks nobody.
func New(options Options) *Balancer {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	register()
	return &Balancer{
		Options: options, addresses: newAddressCache(),
		reporter: NewReporter(options.Events, options.Clock),
	}
}

// GetLoadBalancerName is how the names of the Service's pieces in Prism Central start.
func (b *Balancer) GetLoadBalancerName(_ context.Context, _ string, service *corev1.Service) string {
	return b.owner(service).Name()
}

// GetLoadBalancer says that a load balancer exists while any backend finds any piece of it: the framework deletes only what
// exists.
func (b *Balancer) GetLoadBalancer(ctx context.Context, _ string, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	release, err := b.locks.acquire(ctx, service.UID)
	if err != nil {
		return nil, false, err
	}
	defer release()
	b.farewell(service)
	pieces, err := b.find(ctx, service, "")
	if len(pieces) == 0 {
		return nil, false, b.explain(service, err)
	}
	chosen, _ := choose(b.Config(), service)
	for _, p := range pieces {
		if p.by == chosen {
			return p.status, true, nil
		}
	}
	return pieces[0].status, true, nil
}

// EnsureLoadBalancer serves the Service with the backend that it is to have. Errors: cloudprovider.ImplementedElsewhere, not
// wrapped, for type none; a Refusal; what Prism Central says. An api.RetryError is in those whose next try has a fixed time.
func (b *Balancer) EnsureLoadBalancer(ctx context.Context, _ string, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	release, err := b.locks.acquire(ctx, service.UID)
	if err != nil {
		return nil, err
	}
	defer release()
	return b.ensure(ctx, service, nodes)
}

// UpdateLoadBalancer makes the nodes be the targets, and changes nothing else. Errors are those of EnsureLoadBalancer.
func (b *Balancer) UpdateLoadBalancer(ctx context.Context, _ string, service *corev1.Service, nodes []*corev1.Node) error {
	release, err := b.locks.acquire(ctx, service.UID)
	if err != nil {
		return err
	}
	defer release()
	return b.update(ctx, service, nodes)
}

// EnsureLoadBalancerDeleted removes every piece that any backend has of the Service.
func (b *Balancer) EnsureLoadBalancerDeleted(ctx context.Context, _ string, service *corev1.Service) error {
	release, err := b.locks.acquire(ctx, service.UID)
	if err != nil {
		return err
	}
	defer release()
	return b.delete(ctx, service)
}

// The methods below are called by whoever holds the Service's lock.

func (b *Balancer) ensure(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	b.farewell(service)
	chosen, err := choose(b.Config(), service)
	if err != nil {
		return nil, b.explain(service, err)
	}
	if chosen == config.LoadBalancerNone {
		return nil, b.explain(service, b.leave(ctx, service))
	}
	status, err := b.serve(ctx, chosen, service, nodes)
	err = b.explain(service, err)
	if status == nil {
		return nil, err
	}
	// What is refused beside a status was told; it is no reason to keep the status back.
	changed := b.census.set(service.UID, chosen)
	if changed || !slices.EqualFunc(status.Ingress, service.Status.LoadBalancer.Ingress, sameAddress) {
		b.addresses.forget()
	}
	return status, nil
}

func sameAddress(one, other corev1.LoadBalancerIngress) bool { return one.IP == other.IP }

func (b *Balancer) update(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) error {
	chosen, err := choose(b.Config(), service)
	if err != nil {
		return b.explain(service, err)
	}
	if chosen == config.LoadBalancerNone {
		return cloudprovider.ImplementedElsewhere
	}
	backend, err := b.backend(chosen)
	if err == nil {
		err = backend.UpdateNodes(ctx, service, nodes)
	}
	return b.explain(service, err)
}

func (b *Balancer) delete(ctx context.Context, service *corev1.Service) error {
	b.farewell(service)
	var errs []error
	for _, name := range b.names() {
		if err := b.remove(ctx, name, service); !b.isNeedless(ctx, name, service, err) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return b.explain(service, err)
	}
	b.census.set(service.UID, config.LoadBalancerNone)
	b.reporter.Settled(service.UID)
	b.addresses.forget()
	return nil
}

// remove removes what one backend has of the Service, and before that what it wrote on it if the Service lives on.
func (b *Balancer) remove(ctx context.Context, name config.LoadBalancerType, service *corev1.Service) error {
	backend := b.Backends[name]
	if w, ok := backend.(Withdrawer); ok && service.DeletionTimestamp.IsZero() {
		if err := w.Withdraw(ctx, service); err != nil {
			return fmt.Errorf("withdrawing what load balancers of type %s wrote: %w", name, err)
		}
	}
	if err := backend.Delete(ctx, b.owner(service)); err != nil {
		return fmt.Errorf("deleting load balancer of type %s: %w", name, err)
	}
	return nil
}

// explain tells an error as an Event and says when to try again.
func (b *Balancer) explain(service *corev1.Service, err error) error {
	switch {
	case err == nil, errors.Is(err, cloudprovider.ImplementedElsewhere):
		b.reporter.Settled(service.UID)
		return err
	case errors.Is(err, context.Canceled):
		return err
	}
	found := describe(err)
	b.reporter.Report(service, service.UID, found.reason, found.message)
	return pace(err, b.repairPeriod())
}

func (b *Balancer) owner(service *corev1.Service) Owner {
	return OwnerOf(b.Config().ClusterName, service).In(b.ClusterID)
}

// names are the types of the backends, in an order that is always the same.
func (b *Balancer) names() []config.LoadBalancerType { return slices.Sorted(maps.Keys(b.Backends)) }

func (b *Balancer) backend(name config.LoadBalancerType) (Backend, error) {
	if backend, ok := b.Backends[name]; ok {
		return backend, nil
	}
	return nil, &Refusal{Reason: ReasonTypeNotConfigured, Message: fmt.Sprintf("load balancers of type %s are not offered", name)}
}
