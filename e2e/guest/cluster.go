package guest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
)

// cluster is the simulated Kubernetes cluster behind one control-plane endpoint. It runs the endpoint that its guests
// share, and performs the tasks of the controller manager and of the kubelets.
type cluster struct {
	hypervisor *Hypervisor
	endpoint   string
	keys       *keys
	// joining is a lock that a control plane holds while it joins the cluster.
	joining chan struct{}
	// admin is an administrator's client for the cluster's endpoint.
	admin client.WithWatch

	mu      sync.Mutex
	vip     *vip
	members map[*guest]string // control planes that are up, with the address of their API server
	stop    context.CancelFunc
	stopped chan struct{}

	running   sync.Mutex // guards processes; do not hold running and mu at the same time
	processes []*process.Process
}

// startCluster returns the cluster of the first control plane. If the machine has only restarted, the cluster already
// exists. Otherwise, startCluster creates it.
func (h *Hypervisor) startCluster(k *kubeadm) *cluster {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.clusters[k.endpoint]; ok && c.keys.ca.Pin() == k.keys.ca.Pin() {
		return c
	}
	c := &cluster{
		hypervisor: h, endpoint: k.endpoint, keys: k.keys,
		joining: make(chan struct{}, 1), members: map[*guest]string{},
	}
	h.clusters[k.endpoint] = c
	return c
}

// findCluster waits until the cluster that a machine joins has a control plane. It finds the cluster by its endpoint,
// and checks that the join configuration contains the hash of the cluster's certificate authority.
func (h *Hypervisor) findCluster(ctx context.Context, k *kubeadm) (*cluster, error) {
	var found *cluster
	err := retry(ctx, "discovering the cluster at "+k.endpoint, func(context.Context) error {
		h.mu.Lock()
		c, ok := h.clusters[k.endpoint]
		h.mu.Unlock()
		switch {
		case !ok || !c.up():
			return fmt.Errorf("no control plane responds")
		case len(k.pins) > 0 && !slices.Contains(k.pins, c.keys.ca.Pin()):
			return fmt.Errorf("its certificate authority has none of the hashes in caCertHashes")
		}
		found = c
		return nil
	})
	return found, err
}

// join adds a ready control plane to the backends of the endpoint. When the first control plane joins, join also starts
// the endpoint, unless the endpoint is the machine's own address.
func (c *cluster) join(ctx context.Context, g *guest, address string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.members) == 0 {
		if err := c.open(ctx, address); err != nil {
			return err
		}
	}
	c.members[g] = address
	if c.vip != nil {
		c.vip.add(g.vm.UUID, address)
	}
	return nil
}

// open starts the endpoint, the Pod controller and the Deployment controller. The caller must hold the mutex mu.
func (c *cluster) open(ctx context.Context, address string) error {
	if address != c.endpoint {
		err := retry(ctx, "starting the endpoint", func(ctx context.Context) (err error) {
			c.vip, err = newVIP(ctx, c.endpoint)
			return err
		})
		if err != nil {
			return err
		}
	}
	admin, err := c.client("https://" + c.endpoint)
	if err != nil {
		return err
	}
	c.admin = admin
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	controllers, stop := context.WithCancel(c.hypervisor.ctx)
	stopped := make(chan struct{})
	c.stop, c.stopped = stop, stopped
	c.hypervisor.wg.Go(func() {
		defer close(stopped)
		var both sync.WaitGroup
		both.Go(func() { c.servePods(controllers, admin) })
		both.Go(func() { c.servePrograms(controllers, admin, host) })
		both.Wait()
	})
	return nil
}

// leave removes a control plane from the endpoint immediately. If it was the last control plane, leave closes the
// endpoint.
func (c *cluster) leave(g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.members[g]; !ok {
		return
	}
	delete(c.members, g)
	if c.vip != nil {
		c.vip.remove(g.vm.UUID)
	}
	if len(c.members) > 0 {
		return
	}
	if c.vip != nil {
		c.vip.close()
		c.vip = nil
	}
	c.stop()
	<-c.stopped
}

// up reports whether at least one control plane is running.
func (c *cluster) up() bool { return c.administrator() != nil }

// administrator returns an administrator's client for the endpoint, or nil if no control plane is running.
func (c *cluster) administrator() client.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.members) == 0 {
		return nil
	}
	return c.admin
}

// etcdURLs returns the client URLs of the etcd members of all running control planes.
func (c *cluster) etcdURLs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var urls []string
	for address := range maps.Values(c.members) {
		host, _, _ := net.SplitHostPort(address)
		urls = append(urls, "https://"+joinHostPort(host, etcdClientPort))
	}
	slices.Sort(urls)
	return urls
}

// client returns an administrator's client for the API server with the given URL.
func (c *cluster) client(url string) (client.WithWatch, error) {
	config, err := plane.ClientConfig(url, c.keys.ca, plane.Admin())
	if err != nil {
		return nil, err
	}
	config.Timeout = callTimeout
	made, err := client.NewWithWatch(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client of %s: %w", url, err)
	}
	return made, nil
}

func (c *cluster) lockJoin(ctx context.Context) error {
	select {
	case c.joining <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another control plane to join: %w", ctx.Err())
	}
}

func (c *cluster) unlockJoin() { <-c.joining }

// callTimeout is the timeout of each call to the API of a simulated cluster. It also ends watches. The caller then
// starts a new watch.
const callTimeout = 30 * time.Second
