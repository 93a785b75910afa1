package ccm

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/access"
	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/instance"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/ccm/route"
)

// clientName is the user agent of requests to the API server and the source of events.
const clientName = "capnt-ccm"

// Initialize makes all parts and starts the loops that are the cloud's own: the watch of the configuration and the look at
// whether Prism Central answers. It waits for nothing but the API server. An instance that waited long for its turn does not know
// yet how the configuration has changed.
func (c *Cloud) Initialize(builder cloudprovider.ControllerClientBuilder, stop <-chan struct{}) {
	c.stop = stop
	ctx := c.context()
	client := builder.ClientOrDie(clientName)
	recorder := newRecorder(ctx, client)
	voice := &voice{log: klog.FromContext(ctx).WithName(clientName), events: recorder, about: c.self.reference()}

	c.config.Reload(ctx)
	c.config.OnChange(voice.configurationChanged, voice.configurationRefused)
	preflight := newPreflight(voice, c.preflight)
	c.config.OnChange(func(config.Config, config.Config) { preflight.again() }, func(error) {})
	go c.config.Run(ctx, configPeriod)

	reach := &reach{tell: voice, answered: preflight.again}
	api := heard{API: c.client(access.New(access.Options{
		Client: client, Config: c.config.Current, Namespace: c.self.Namespace,
	}, stop)), reach: reach}
	c.id = c.identify(ctx, client, voice)
	c.wire(client, recorder, api)
	go reach.probe(ctx, api, reachPeriod)
	go preflight.run(ctx, preflightPeriod)
	voice.log.Info("The cloud is ready", "loadBalancers", c.balancer != nil, "routes", c.routes != nil)
}

// wire makes what is offered: a part that is not made is not offered.
func (c *Cloud) wire(client kubernetes.Interface, events record.EventRecorder, api nutanix.API) {
	now := c.settings()
	lists := nutanix.NewCache(api, func() time.Duration { return now().Client.CacheTTL.Duration })
	var balancerAddresses func(context.Context) ([]string, error)
	if balancers := now().LoadBalancer; balancers.Offered() {
		c.nlb = nlb.New(nlb.Options{API: api, VMs: lists, Config: now, ClusterID: c.id, Events: events})
		c.ipam = ipam.New(ipam.Options{API: api, Config: now, ClusterID: c.id, Client: client, Events: events})
		c.balancer = loadbalancer.New(loadbalancer.Options{
			Backends: map[config.LoadBalancerType]loadbalancer.Backend{
				config.LoadBalancerNLB: c.nlb, config.LoadBalancerIPAM: c.ipam,
			},
			Config: now, ClusterID: c.id, Client: client, Events: events,
		})
		balancerAddresses = c.balancer.Addresses
	}
	c.instances = instance.New(instance.Options{
		API: api, Cache: lists, Config: now, Client: client, Events: events, LoadBalancerAddresses: balancerAddresses,
		ServiceAddresses: c.published.addresses,
	})
	if now().Routes.Enabled {
		c.routes = route.New(route.Options{API: api, Cache: lists, Config: now, ClusterID: c.id, Events: events})
	}
}

// settings gives the configuration of now, with the name of the cluster that it had when this was called: with another name
// everything that has the mark of the former one would be lost.
func (c *Cloud) settings() func() config.Config {
	name := c.config.Current().ClusterName
	return func() config.Config {
		settings := c.config.Current()
		settings.ClusterName = name
		return settings
	}
}

func (c *Cloud) client(entry *access.Access) *nutanix.Client {
	return nutanix.New(nutanix.Options{Endpoint: entry.Endpoint, Limits: func() nutanix.Limits {
		client := c.config.Current().Client
		return nutanix.Limits{
			Timeout: client.Timeout.Duration, TaskTimeout: client.TaskTimeout.Duration,
			RequestsPerSecond: client.RequestsPerSecond, Burst: client.Burst,
		}
	}})
}

// preflight gives what is wrong with the VPC and subnets that the configuration names for load balancers, if it names any and
// they are offered.
func (c *Cloud) preflight(ctx context.Context) (exists bool, err error) {
	balancers := c.config.Current().LoadBalancer
	if c.balancer == nil || balancers.NLB == nil && balancers.IPAM == nil {
		return false, nil
	}
	return true, errors.Join(c.nlb.Preflight(ctx), c.ipam.Preflight(ctx))
}

// context gives one that ends with the cloud.
func (c *Cloud) context() context.Context { return wait.ContextForChannel(c.stop) }
