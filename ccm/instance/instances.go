// Package instance tells Kubernetes about the virtual machines behind its nodes: whether they exist, whether they are shut
// down, what their addresses are, and where they run. It implements cloudprovider.InstancesV2.
//
// A Node is deleted when this package says that its virtual machine does not exist, so it says that only when Prism Central
// itself did, twice (see InstanceExists). Everything else that goes wrong is an error, upon which the framework tries again.
package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// Cache is what is needed of *nutanix.Cache: lists that serve all nodes for a short time. Absence from one means nothing.
type Cache interface {
	VMsOfCategory(ctx context.Context, categoryUUID string) ([]nutanix.VM, error)
	PrismElements(ctx context.Context) ([]nutanix.PrismElement, error)
	Hosts(ctx context.Context) ([]nutanix.Host, error)
	Categories(ctx context.Context, key string) ([]nutanix.Category, error)
}

// Options is what New needs. All but the addresses must be set.
type Options struct {
	API    nutanix.API
	Cache  Cache
	Config func() config.Config
	// Client patches labels of nodes.
	Client kubernetes.Interface
	Events record.EventRecorder
	// LoadBalancerAddresses gives the addresses of all load balancers of this cluster, which are never addresses of a node.
	// Nil: there are none.
	LoadBalancerAddresses func(context.Context) ([]string, error)
	// ServiceAddresses gives the addresses that Services are reached by, whoever serves them. Some load balancers of Kubernetes
	// give a Service the addresses of the nodes themselves, so that only what was learned is left out for it. Nil: there are none.
	ServiceAddresses func(context.Context) ([]string, error)
}

// namesLifetime is how long names of Prism Elements, hosts and categories are believed. They hardly ever change; what is not
// among them is asked for at once, and so is what may be newer.
const namesLifetime = time.Hour

// Instances implements cloudprovider.InstancesV2.
type Instances struct {
	Options
	balancers     *balancerAddresses
	prismElements *memo[nutanix.PrismElement]
	hosts         *memo[nutanix.Host]
	categories    *memos[nutanix.Category]
	singles       *singles
	told          *told
}

var (
	_ cloudprovider.InstancesV2 = (*Instances)(nil)
	_ Cache                     = (*nutanix.Cache)(nil)
)

// New asks nothing of anybody yet.
func New(options Options) *Instances {
	return newInstances(options, clock.RealClock{})
}

func newInstances(options Options, now clock.PassiveClock) *Instances {
	lifetime := func() time.Duration { return options.Config().Client.CacheTTL.Duration }
	return &Instances{
		Options: options,
		balancers: &balancerAddresses{
			list: options.LoadBalancerAddresses, clock: now, lifetime: lifetime, turn: make(chan struct{}, 1),
		},
		singles:       &singles{clock: now, lifetime: lifetime, fetch: options.API.VM, of: map[string]single{}},
		prismElements: newMemo(now, lifetime, options.Cache.PrismElements),
		hosts:         newMemo(now, lifetime, options.Cache.Hosts),
		categories: &memos[nutanix.Category]{
			clock: now, stale: lifetime, fetch: options.Cache.Categories, of: map[string]*memo[nutanix.Category]{},
		},
		told: &told{clock: now, at: map[message]time.Time{}},
	}
}

// InstanceExists is false only when the node's virtual machine is gone for certain: Prism Central said in its own words that it
// has none with any UUID of the node, and said so again when asked anew; it has none with that BIOS UUID, none with that
// provider ID among its attributes (a virtual machine that moved to another site has a new UUID) and none with the node's
// name, but for those of another identity that lack the category of the cluster, which others have; and it does list others. The
// answer of a proxy, an empty list, a failure, or a node without a UUID is an error.
func (i *Instances) InstanceExists(ctx context.Context, node *corev1.Node) (bool, error) {
	exists, err := i.exists(ctx, node)
	if err != nil {
		return false, i.failed(node, fmt.Errorf("deciding whether the virtual machine of node %s exists: %w", nameOf(node), err))
	}
	return exists, nil
}

// InstanceShutdown is true when Prism Central says that the virtual machine is off. A paused one, and one whose state Prism
// Central does not know, may come back any moment and is not shut down. A missing one is an error.
func (i *Instances) InstanceShutdown(ctx context.Context, node *corev1.Node) (bool, error) {
	vm, err := i.find(ctx, node)
	if err != nil {
		return false, i.failed(node, fmt.Errorf("reading the power state of node %s: %w", nameOf(node), err))
	}
	return vm.PowerState == nutanix.PowerOff, nil
}

// InstanceMetadata describes the node's virtual machine, and brings the labels of an initialized node up to date. Without zone,
// region or an address it is an error: the framework sets labels only when it initializes a node, which therefore keeps its
// taint until they are known. Once a node is initialized, an unknown zone or region leaves its labels as they are.
func (i *Instances) InstanceMetadata(ctx context.Context, node *corev1.Node) (*cloudprovider.InstanceMetadata, error) {
	metadata, err := i.metadata(ctx, node)
	if err != nil {
		return nil, i.failed(node, fmt.Errorf("describing the virtual machine of node %s: %w", nameOf(node), err))
	}
	return metadata, nil
}

func (i *Instances) metadata(ctx context.Context, node *corev1.Node) (*cloudprovider.InstanceMetadata, error) {
	vm, err := i.find(ctx, node)
	if err != nil {
		return nil, err
	}
	metadata, err := i.describe(ctx, node, vm)
	var problem *Problem
	if !errors.As(err, &problem) {
		return metadata, err
	}
	// What was read for all nodes may be older than what this one needs, an address that was just learned for example.
	if vm, err = i.API.VM(ctx, vm.UUID); err != nil {
		return nil, fmt.Errorf("%w; asking again: %w", problem, err)
	}
	return i.describe(ctx, node, vm)
}

func (i *Instances) describe(ctx context.Context, node *corev1.Node, vm nutanix.VM) (*cloudprovider.InstanceMetadata, error) {
	settings := i.Config()
	labels := i.extraLabels(ctx, settings, vm)
	where, err := i.place(ctx, settings.TopologyDiscovery, vm)
	if err != nil && !initialized(node) {
		return nil, err
	}
	if err != nil {
		// The framework no longer looks at zone and region, and the addresses must go on being refreshed.
		_ = i.failed(node, err)
		where = place{}
	}
	if initialized(node) {
		i.refreshLabels(ctx, node, labels, where)
	}
	addresses, err := i.addresses(ctx, settings, node, vm)
	if err != nil {
		return nil, err
	}
	return &cloudprovider.InstanceMetadata{
		ProviderID:       providerIDOf(vm),
		InstanceType:     instanceType(settings.InstanceType, vm),
		NodeAddresses:    addresses,
		Zone:             where.Zone,
		Region:           where.Region,
		AdditionalLabels: labels,
	}, nil
}

// failed tells people about an error that they can do something about, and the log about those that the framework does not
// log. It gives the error back.
func (i *Instances) failed(node *corev1.Node, err error) error {
	var problem *Problem
	if node != nil && errors.As(err, &problem) && i.told.isNews(message{node.UID, problem.Reason, problem.Message}) {
		i.Events.Event(node, corev1.EventTypeWarning, problem.Reason, problem.Message)
	}
	klog.V(2).InfoS("Nutanix instance", "node", nameOf(node), "err", err)
	return err
}

// initialized reports whether the framework has set what it sets once.
func initialized(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == cloudproviderapi.TaintExternalCloudProvider {
			return false
		}
	}
	return true
}

func nameOf(node *corev1.Node) string {
	if node == nil {
		return ""
	}
	return node.Name
}
