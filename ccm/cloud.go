// Package ccm is the cloud that the cloud controller manager of Kubernetes drives: the parts below it, wired together. It
// starts when this instance is elected, and ends with the process.
package ccm

import (
	"time"

	"k8s.io/client-go/informers"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/instance"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
)

// How often things are looked at. The kubelet needs a minute anyway to bring a changed ConfigMap.
const (
	configPeriod    = 5 * time.Second
	reachPeriod     = 10 * time.Second
	preflightPeriod = time.Minute
)

// Cloud implements cloudprovider.Interface. What it offers is decided when it starts, by the configuration of then.
type Cloud struct {
	config *config.Store
	self   Self

	// id is in the marks of what is made in Prism Central.
	id string
	// Made by Initialize; nil is not offered.
	instances *instance.Instances
	balancer  *loadbalancer.Balancer
	nlb       *nlb.Backend
	ipam      *ipam.Backend
	routes    cloudprovider.Routes
	published published
	stop      <-chan struct{}
}

var (
	_ cloudprovider.Interface    = (*Cloud)(nil)
	_ cloudprovider.InformerUser = (*Cloud)(nil)
)

// New makes a cloud that does nothing before Initialize.
func New(store *config.Store, self Self) *Cloud { return &Cloud{config: store, self: self} }

// ProviderName is the scheme of provider IDs.
func (c *Cloud) ProviderName() string { return ProviderName }

// HasClusterID is true: whatever needs the name of the cluster insists on it in the configuration.
func (c *Cloud) HasClusterID() bool { return true }

// InstancesV2 is always offered.
func (c *Cloud) InstancesV2() (cloudprovider.InstancesV2, bool) {
	if c.instances == nil {
		return nil, false
	}
	return c.instances, true
}

// LoadBalancer is offered when a type or a class of load balancers was configured at the start.
func (c *Cloud) LoadBalancer() (cloudprovider.LoadBalancer, bool) {
	if c.balancer == nil {
		return nil, false
	}
	return c.balancer, true
}

// Routes are offered when they were enabled at the start. The framework ends the process when they are offered without
// --cluster-cidr.
func (c *Cloud) Routes() (cloudprovider.Routes, bool) { return c.routes, c.routes != nil }

// Instances is the former form of InstancesV2.
func (c *Cloud) Instances() (cloudprovider.Instances, bool) { return nil, false }

// Zones is part of InstancesV2 today.
func (c *Cloud) Zones() (cloudprovider.Zones, bool) { return nil, false }

// Clusters is used by nobody.
func (c *Cloud) Clusters() (cloudprovider.Clusters, bool) { return nil, false }

// SetInformers is called after Initialize, which makes what runs here.
func (c *Cloud) SetInformers(factory informers.SharedInformerFactory) {
	if err := keepLean(factory); err != nil {
		klog.FromContext(c.context()).Error(err, "More memory is used than needed")
	}
	c.published.watch(factory)
	if c.balancer != nil {
		go c.balancer.Run(c.context(), factory)
	}
}
