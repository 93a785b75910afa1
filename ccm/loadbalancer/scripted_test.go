package loadbalancer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// scripted is a backend that keeps its load balancers in memory and fails on script.
type scripted struct {
	mu sync.Mutex
	// network is how its addresses start, for example "10.1.0.".
	network string
	held    map[Owner]string
	targets map[Owner][]string
	// fails are the errors of methods, by name, until they are taken out.
	fails map[string]error
	// beside is given with every status: a part that is refused.
	beside error
	calls  []string
	next   int
}

func newScripted(network string) *scripted {
	return &scripted{network: network, held: map[Owner]string{}, targets: map[Owner][]string{}, fails: map[string]error{}}
}

// begin notes a call and gives its scripted error. The lock is held afterwards.
func (s *scripted) begin(method, about string) error {
	s.mu.Lock()
	s.calls = append(s.calls, strings.TrimSpace(method+" "+about))
	return s.fails[method]
}

func owner(service *corev1.Service) Owner { return OwnerOf("prod", service) }

func (s *scripted) Status(_ context.Context, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	defer s.mu.Unlock()
	if err := s.begin("Status", service.Name); err != nil {
		return nil, false, err
	}
	address, found := s.held[owner(service)]
	return status(address), found, nil
}

func (s *scripted) Ensure(_ context.Context, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	defer s.mu.Unlock()
	if err := s.begin("Ensure", service.Name); err != nil {
		return nil, err
	}
	if s.held[owner(service)] == "" {
		s.next++
		s.held[owner(service)] = fmt.Sprint(s.network, s.next)
	}
	s.targets[owner(service)] = nodeNames(nodes)
	return status(s.held[owner(service)]), s.beside
}

func (s *scripted) UpdateNodes(_ context.Context, service *corev1.Service, nodes []*corev1.Node) error {
	defer s.mu.Unlock()
	if err := s.begin("UpdateNodes", service.Name); err != nil {
		return err
	}
	s.targets[owner(service)] = nodeNames(nodes)
	return nil
}

func (s *scripted) Delete(_ context.Context, owner Owner) error {
	defer s.mu.Unlock()
	if err := s.begin("Delete", ""); err != nil {
		return err
	}
	delete(s.held, owner)
	delete(s.targets, owner)
	return nil
}

func (s *scripted) Owners(context.Context) (owners []Owner, err error) {
	defer s.mu.Unlock()
	err = s.begin("Owners", "")
	for owner := range s.held {
		owners = append(owners, owner)
	}
	return owners, err
}

func (s *scripted) Addresses(context.Context) (addresses []string, err error) {
	defer s.mu.Unlock()
	err = s.begin("Addresses", "")
	for _, address := range s.held {
		addresses = append(addresses, address)
	}
	return addresses, err
}

// script makes a method fail with err, or not any more.
func (s *scripted) script(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[method] = err
}

// made counts the calls whose text is that, or all calls for "".
func (s *scripted) made(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, made := range s.calls {
		if call == "" || made == call {
			count++
		}
	}
	return count
}

// order gives all calls and forgets them.
func (s *scripted) order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// has gives the address and the targets of a Service.
func (s *scripted) has(service *corev1.Service) (address string, targets []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[owner(service)], s.targets[owner(service)]
}

// holds gives the addresses that there are, by owner.
func (s *scripted) holds() map[Owner]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.held)
}

// hold makes the owner have an address, or lose it with "".
func (s *scripted) hold(owner Owner, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[owner] = address
	if address == "" {
		delete(s.held, owner)
	}
}

func status(address string) *corev1.LoadBalancerStatus {
	if address == "" {
		return &corev1.LoadBalancerStatus{}
	}
	return &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: address}}}
}

func nodeNames(nodes []*corev1.Node) []string {
	names := []string{}
	for _, node := range nodes {
		names = append(names, node.Name)
	}
	slices.Sort(names)
	return names
}

// handing is a backend that leaves the status to somebody else and writes on the Service.
type handing struct{ *scripted }

func (h handing) Ensure(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	if _, err := h.scripted.Ensure(ctx, service, nodes); err != nil {
		return nil, err
	}
	return service.Status.LoadBalancer.DeepCopy(), nil
}

func (h handing) Withdraw(_ context.Context, service *corev1.Service) error {
	defer h.mu.Unlock()
	return h.begin("Withdraw", service.Name)
}
