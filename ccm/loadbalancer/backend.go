// Package loadbalancer serves Services of type LoadBalancer. What every kind of load balancer shares is here: which backend
// serves a Service, one change at a time for each, events, repair, orphans, and the controller for loadBalancerClass.
// What differs is in the backends, packages nlb and ipam.
package loadbalancer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// Backend serves Services with one kind of load balancer. Every method may be interrupted at any point and called again:
// it goes on from what is found in Prism Central. It is called for one Service by one caller at a time.
type Backend interface {
	// Status gives what clients reach the Service by. It is found while any piece is left in Prism Central, even one that
	// serves nothing, so that a deletion that was interrupted is finished.
	Status(ctx context.Context, service *corev1.Service) (status *corev1.LoadBalancerStatus, found bool, err error)
	// Ensure makes everything as the Service and the nodes want it. A Refusal says what cannot be done, and why; a status
	// beside it says that the rest is served.
	Ensure(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error)
	// UpdateNodes makes the targets be those nodes, and nothing else.
	UpdateNodes(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) error
	// Delete removes every piece of that owner. It is done when there is none.
	Delete(ctx context.Context, owner Owner) error
	// Owners lists whose pieces there are in Prism Central of clusters of this name.
	Owners(ctx context.Context) ([]Owner, error)
	// Addresses are all addresses that load balancers of this cluster hold: none of them is an address of a node.
	Addresses(ctx context.Context) ([]string, error)
}

// Withdrawer is a Backend that leaves something on the Service which must be gone before its pieces are, because somebody
// in the cluster acts on it. Withdraw is called before Delete while the Service lives on: when its type changed.
type Withdrawer interface {
	Withdraw(ctx context.Context, service *corev1.Service) error
}
