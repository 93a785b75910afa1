package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

const (
	// host is where all servers of a world listen.
	host = "127.0.0.1"
	// serviceCIDR is the range of ClusterIPs of every control plane.
	serviceCIDR = "10.96.0.0/16"
	// startTimeout bounds the start of a control plane, of which as many start at once as scenarios do.
	startTimeout = 10 * time.Minute
)

// ControlPlane is a real kube-apiserver with its etcd: the workload cluster's, as far as a cloud controller manager sees it.
type ControlPlane struct {
	// Kube is an administrator's client.
	Kube kubernetes.Interface

	admin     *rest.Config
	authority *pki.Authority
	processes []*process.Process
}

// Pool keeps control planes for scenarios that run side by side, because starting one takes as long as a scenario.
type Pool struct {
	dir, tools string

	mu   sync.Mutex
	all  []*ControlPlane
	idle []*ControlPlane

	sharing sync.Mutex
	shared  *ControlPlane
}

// NewPool makes an empty pool. Files go below dir; the binaries are those of the toolbox's directory.
func NewPool(dir, tools string) *Pool { return &Pool{dir: dir, tools: tools} }

// Take gives a control plane that nobody else uses, until Give.
func (p *Pool) Take(ctx context.Context) (*ControlPlane, error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		taken := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return taken, nil
	}
	started := &ControlPlane{}
	p.all = append(p.all, started)
	dir := filepath.Join(p.dir, "control-plane-"+strconv.Itoa(len(p.all)))
	p.mu.Unlock()
	return started, started.start(ctx, dir, p.tools)
}

// Share gives the control plane of all who only need a place for Services.
func (p *Pool) Share(ctx context.Context) (*ControlPlane, error) {
	p.sharing.Lock()
	defer p.sharing.Unlock()
	if p.shared != nil {
		return p.shared, nil
	}
	taken, err := p.Take(ctx)
	if err == nil {
		p.shared = taken
	}
	return taken, err
}

// Give gives a control plane back. It has no Nodes and no Services of type LoadBalancer any more.
func (p *Pool) Give(c *ControlPlane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// Close ends all control planes and removes their files. What is still running afterwards is an error.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.all {
		for _, child := range c.processes {
			child.Kill()
		}
	}
	var left error
	if running := process.Running(); len(running) > 0 {
		left = fmt.Errorf("closing the world: still running: %v", running)
	}
	return errors.Join(left, os.RemoveAll(p.dir))
}

func (c *ControlPlane) start(ctx context.Context, dir, tools string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	etcd, server, err := describe(dir, tools)
	if err != nil {
		return err
	}
	member, err := plane.StartEtcd(etcd)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, member)
	if err := plane.WaitEtcd(ctx, etcd, member); err != nil {
		return err
	}
	apiserver, err := plane.StartAPIServer(server)
	if err != nil {
		return err
	}
	// Ended first, because it complains without etcd.
	c.processes = []*process.Process{apiserver, member}
	if err := plane.WaitAPIServer(ctx, server, apiserver); err != nil {
		return err
	}
	c.authority = server.Authority
	if c.admin, err = plane.ClientConfig(server.URL(), server.Authority, plane.Admin()); err != nil {
		return err
	}
	c.Kube, err = kubernetes.NewForConfig(c.admin)
	return err
}

func describe(dir, tools string) (plane.EtcdConfig, plane.APIServerConfig, error) {
	none := func(err error) (plane.EtcdConfig, plane.APIServerConfig, error) {
		return plane.EtcdConfig{}, plane.APIServerConfig{}, err
	}
	ports, err := freeport.Find(host, 3)
	if err != nil {
		return none(err)
	}
	authority, err := pki.NewAuthority("workload")
	if err != nil {
		return none(err)
	}
	private, public, err := pki.NewSigningKey()
	if err != nil {
		return none(err)
	}
	etcd := plane.EtcdConfig{
		Binary: filepath.Join(tools, "bin", "etcd"), Dir: filepath.Join(dir, "etcd"), Name: "workload",
		Host: host, ClientPort: ports[0], PeerPort: ports[1], Authority: authority,
	}
	return etcd, plane.APIServerConfig{
		Binary: filepath.Join(tools, "bin", "kube-apiserver"), Dir: filepath.Join(dir, "kube-apiserver"), Name: "workload",
		Host: host, Port: ports[2], Authority: authority, EtcdURL: etcd.ClientURL(), EtcdAuthority: authority,
		ServiceAccountKey: private, ServiceAccountPublicKey: public, ServiceCIDR: serviceCIDR,
	}, nil
}
