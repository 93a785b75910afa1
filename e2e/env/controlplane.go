package env

import (
	"context"
	"path/filepath"

	"k8s.io/client-go/rest"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// controlPlane is the control plane of the management cluster.
type controlPlane struct {
	options   Options
	authority *pki.Authority
	etcd      plane.EtcdConfig
	server    plane.APIServerConfig
}

func newControlPlane(options Options) (*controlPlane, error) {
	ports, err := freeport.Find(host, 3)
	if err != nil {
		return nil, err
	}
	authority, err := pki.NewAuthority("management")
	if err != nil {
		return nil, err
	}
	private, public, err := pki.NewSigningKey()
	if err != nil {
		return nil, err
	}
	c := &controlPlane{options: options, authority: authority}
	c.etcd = plane.EtcdConfig{
		Binary: c.tool("etcd"), Dir: filepath.Join(options.Dir, "etcd"), Name: "management",
		Host: host, ClientPort: ports[0], PeerPort: ports[1], Authority: authority,
	}
	c.server = plane.APIServerConfig{
		Binary: c.tool("kube-apiserver"), Dir: filepath.Join(options.Dir, "kube-apiserver"), Name: "management",
		Host: host, Port: ports[2], Authority: authority, EtcdURL: c.etcd.ClientURL(), EtcdAuthority: authority,
		ServiceAccountKey: private, ServiceAccountPublicKey: public, ServiceCIDR: "10.0.0.0/24",
	}
	return c, nil
}

func (c *controlPlane) tool(name string) string { return filepath.Join(c.options.Tools, "bin", name) }

func (c *controlPlane) clientConfig(user plane.User) (*rest.Config, error) {
	return plane.ClientConfig(c.server.URL(), c.authority, user)
}

func (c *controlPlane) startEtcd(ctx context.Context) (*process.Process, error) {
	p, err := plane.StartEtcd(c.etcd)
	if err != nil {
		return nil, err
	}
	return p, plane.WaitEtcd(ctx, c.etcd, p)
}

func (c *controlPlane) startAPIServer(ctx context.Context) (*process.Process, error) {
	p, err := plane.StartAPIServer(c.server)
	if err != nil {
		return nil, err
	}
	return p, plane.WaitAPIServer(ctx, c.server, p)
}

// startControllerManager starts kube-controller-manager with the controllers that delete orphaned objects and
// namespaces.
func (c *controlPlane) startControllerManager(kubeconfig string) (*process.Process, error) {
	return process.Start(process.Spec{
		Name: "kube-controller-manager",
		Path: c.tool("kube-controller-manager"),
		Args: []string{
			"--kubeconfig=" + kubeconfig,
			"--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=100",
			"--kube-api-burst=200",
		},
		Log: filepath.Join(c.options.Dir, "kube-controller-manager.log"),
	})
}
