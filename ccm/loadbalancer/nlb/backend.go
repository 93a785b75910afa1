package nlb

import (
	"context"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// VMs lists virtual machines for a look-up of many nodes at once. nutanix.Cache does.
type VMs interface {
	Categories(ctx context.Context, key string) ([]nutanix.Category, error)
	VMsOfCategory(ctx context.Context, categoryUUID string) ([]nutanix.VM, error)
}

// Options are what a Backend needs.
type Options struct {
	API nutanix.API
	// VMs defaults to a nutanix.Cache of the backend's own; sharing one with others saves lists.
	VMs VMs
	// Config gives the configuration of now. Without the section loadBalancer.nlb the backend has and finds nothing.
	Config func() config.Config
	// ClusterID is as in loadbalancer.Options.
	ClusterID string
	Events    record.EventRecorder
	// Clock is the real one when it is nil.
	Clock clock.PassiveClock
}

// Backend serves Services with network load balancers. It remembers nothing but lists of virtual machines, VPCs and subnets, for
// a short time, which subnets of other VPCs hold something of the cluster, and what it has told.
type Backend struct {
	options   Options
	networks  networks
	elsewhere *elsewhere
	told      *loadbalancer.Reporter
}

var _ loadbalancer.Backend = (*Backend)(nil)

// New gives a Backend. It asks nothing of Prism Central.
func New(options Options) *Backend {
	if options.VMs == nil {
		options.VMs = nutanix.NewCache(options.API, func() time.Duration { return options.Config().Client.CacheTTL.Duration })
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Backend{options: options, elsewhere: newElsewhere(), told: loadbalancer.NewReporter(options.Events, options.Clock)}
}

// config gives the configuration, and refuses when it does not allow network load balancers.
func (b *Backend) config() (config.Config, error) {
	cfg := b.options.Config()
	if cfg.LoadBalancer.NLB == nil {
		return config.Config{}, &loadbalancer.Refusal{Reason: ReasonConfiguration, Retry: true,
			Message: "network load balancers are not configured: add loadBalancer.nlb with vpc and subnet to the configuration file"}
	}
	return cfg, nil
}

// Ensure makes sessions, virtual IP and floating IP as the Service and the nodes want them. A Refusal beside a status is about
// what is left out, while the rest is served.
func (b *Backend) Ensure(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	cfg, err := b.config()
	if err != nil {
		return nil, err
	}
	r, err := read(service, cfg)
	if err != nil {
		return nil, err
	}
	r.owner = r.owner.In(b.options.ClusterID)
	n, err := b.network(ctx, cfg.LoadBalancer)
	if err != nil {
		return nil, explainAny(err)
	}
	w, err := b.want(ctx, service, nodes, cfg, r, n)
	if err != nil {
		return nil, explainAny(err)
	}
	p, err := b.converge(ctx, n, w)
	if err != nil {
		return nil, explainAny(err)
	}
	refused := append(r.refused, sharingRefused(service, w.owner, p)...)
	return statusOf(cfg.LoadBalancer.NLB.IPMode, firstValid(p.floating, p.address), portsOf(service, refused)), partly(r.notices, refused)
}

func (b *Backend) owner(cfg config.Config, service *corev1.Service) loadbalancer.Owner {
	return loadbalancer.OwnerOf(cfg.ClusterName, service).In(b.options.ClusterID)
}

// want resolves what the request names and finds the targets.
func (b *Backend) want(ctx context.Context, service *corev1.Service, nodes []*corev1.Node, cfg config.Config, r request, n network,
) (wanted, error) {
	subnet, err := n.virtual(r.subnet)
	if err != nil {
		return wanted{}, err
	}
	external := ""
	if r.floatingIP {
		if external, err = n.externalUUID(*cfg.LoadBalancer.NLB); err != nil {
			return wanted{}, err
		}
	}
	nics, err := b.nics(ctx, service, nodes, *cfg.LoadBalancer.NLB, n, r)
	if err != nil {
		return wanted{}, err
	}
	return desired(r, n.vpc.UUID, subnet, external, nics)
}

// nics gives the targets of all sessions, and reports the nodes that have none.
func (b *Backend) nics(ctx context.Context, service *corev1.Service, nodes []*corev1.Node, cfg config.NLB, n network, r request,
) ([]string, error) {
	nodeSubnet, err := n.nodeSubnet(cfg)
	if err != nil {
		return nil, err
	}
	nics, without, err := b.targets(ctx, n, nodeSubnet, nodes, r.selector)
	if err != nil {
		return nil, err
	}
	b.reportTargets(service, nodes, nics, without)
	return nics, nil
}

// UpdateNodes makes the targets of the Service's sessions be those nodes. A Service that is refused now, but has sessions
// from before, is kept in step too.
func (b *Backend) UpdateNodes(ctx context.Context, service *corev1.Service, nodes []*corev1.Node) error {
	cfg, err := b.config()
	if err != nil {
		return err
	}
	r := request{owner: b.owner(cfg, service)}
	if r.selector, err = readSelector(service); err != nil {
		return err
	}
	r.readPorts(service)
	n, err := b.network(ctx, cfg.LoadBalancer)
	if err != nil {
		return explainAny(err)
	}
	nics, err := b.nics(ctx, service, nodes, *cfg.LoadBalancer.NLB, n, r)
	if err != nil {
		return explainAny(err)
	}
	w, err := desired(r, n.vpc.UUID, nutanix.Subnet{}, "", nics)
	if err != nil {
		return err
	}
	return explainAny(b.updateNodes(ctx, w))
}

// Delete removes every piece of an owner, in whatever VPC: the floating IP, the sessions, and then the address.
func (b *Backend) Delete(ctx context.Context, owner loadbalancer.Owner) error {
	cfg := b.options.Config()
	if cfg.LoadBalancer.NLB == nil {
		return nil
	}
	n, err := b.everywhere(ctx, cfg.LoadBalancer)
	if err != nil {
		return explainAny(err)
	}
	return explainAny(b.remove(ctx, n, owner))
}

// Status gives the floating IP, or else the virtual IP. found is true while any piece is left. Before the last look, which decides
// whether there is anything to delete, other VPCs are asked about too.
func (b *Backend) Status(ctx context.Context, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	cfg := b.options.Config()
	if cfg.LoadBalancer.NLB == nil {
		return nil, false, nil
	}
	look := b.network
	if !service.DeletionTimestamp.IsZero() || service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		look = b.everywhere
	}
	n, err := look(ctx, cfg.LoadBalancer)
	if err != nil {
		return nil, false, explainAny(err)
	}
	f, err := b.gather(ctx, n, b.owner(cfg, service))
	if err != nil || f.isEmpty() {
		return nil, false, explainAny(err)
	}
	var address netip.Addr
	if len(f.sessions) > 0 {
		address = f.sessions[0].VirtualIP
		if len(f.floatingIPs) > 0 {
			address = firstValid(f.floatingIPs[0].Address, address)
		}
	}
	return statusOf(cfg.LoadBalancer.NLB.IPMode, address, nil), true, nil
}

// Owners lists whose pieces there are, in whatever VPC, sorted by UID.
func (b *Backend) Owners(ctx context.Context) ([]loadbalancer.Owner, error) {
	f, cluster, err := b.everything(ctx, b.everywhere)
	if err != nil {
		return nil, err
	}
	owners := sets.New[loadbalancer.Owner]()
	for _, session := range f.sessions {
		owner, _ := loadbalancer.ParseName(cluster, session.Name)
		owners.Insert(owner)
	}
	for _, ip := range f.floatingIPs {
		owner, _ := loadbalancer.ParseName(cluster, ip.Name)
		owners.Insert(owner)
	}
	for _, r := range f.reservations {
		owners.Insert(f.owners[r])
	}
	return slices.SortedFunc(slices.Values(owners.UnsortedList()), loadbalancer.CompareOwners), nil
}

// Addresses lists every virtual IP, reserved address and floating IP of the cluster, sorted as texts.
func (b *Backend) Addresses(ctx context.Context) ([]string, error) {
	f, _, err := b.everything(ctx, b.network)
	if err != nil {
		return nil, err
	}
	addresses := sets.New[string]()
	add := func(address netip.Addr) {
		if address.IsValid() {
			addresses.Insert(address.String())
		}
	}
	for _, session := range f.sessions {
		add(session.VirtualIP)
	}
	for _, ip := range f.floatingIPs {
		add(ip.Address)
	}
	for _, r := range f.reservations {
		add(r.address)
	}
	return sets.List(addresses), nil
}

func (b *Backend) everything(ctx context.Context, look func(context.Context, config.LoadBalancer) (network, error)) (found, string, error) {
	cfg := b.options.Config()
	if cfg.LoadBalancer.NLB == nil {
		return found{}, "", nil
	}
	n, err := look(ctx, cfg.LoadBalancer)
	if err != nil {
		return found{}, "", explainAny(err)
	}
	f, err := b.gatherAll(ctx, n, cfg.ClusterName)
	return f, cfg.ClusterName, explainAny(err)
}
