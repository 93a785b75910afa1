package guest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
)

const (
	etcdClientPort = 2379
	etcdPeerPort   = 2380
	// retryInterval of everything a booting guest tries again.
	retryInterval = 250 * time.Millisecond
	// etcdCallTimeout for one call to another member.
	etcdCallTimeout = 5 * time.Second
	// etcdPatience with a new member before its first restart.
	etcdPatience = 2 * time.Second
	// defaultServices is kubeadm's default for networking.serviceSubnet.
	defaultServices = "10.96.0.0/12"
)

// bootControlPlane starts etcd and kube-apiserver and registers the Node.
func (g *guest) bootControlPlane(ctx context.Context) error {
	k, c := g.config, g.cluster
	ip, err := g.ip()
	if err != nil {
		return err
	}
	if err := g.startEtcd(ctx, ip); err != nil {
		return err
	}
	server := g.apiServer(ip)
	started, err := plane.StartAPIServer(server)
	apiServer, err := g.start(ctx, started, err)
	if err != nil {
		return err
	}
	if err := plane.WaitAPIServer(ctx, server, apiServer); err != nil {
		return err
	}
	g.log.Info("kube-apiserver is ready", "url", server.URL())

	if k.initialize && !g.joined {
		if err := c.initialize(ctx, server.URL(), k.cluster); err != nil {
			return err
		}
	}
	if err := g.register(ctx, server.URL()); err != nil {
		return err
	}
	if err := c.join(ctx, g, joinHostPort(ip, k.port)); err != nil {
		return err
	}
	g.setJoined()
	return nil
}

// startEtcd starts the member: alone, as a new member of the running cluster, or with the data on its disk.
func (g *guest) startEtcd(ctx context.Context, ip string) error {
	k, c := g.config, g.cluster
	config := plane.EtcdConfig{
		Binary: filepath.Join(g.hypervisor.options.Tools, "bin", "etcd"), Dir: filepath.Join(g.dir, "etcd"),
		Name: k.nodeName, Host: ip, ClientPort: etcdClientPort, PeerPort: etcdPeerPort, Authority: k.keys.etcdCA,
	}
	if !k.initialize && !g.etcd {
		return g.joinEtcd(ctx, c, config)
	}
	started, err := plane.StartEtcd(config)
	member, err := g.start(ctx, started, err)
	if err != nil {
		return err
	}
	g.etcd = true
	return plane.WaitEtcd(ctx, config, member)
}

// joinEtcd adds the member as a learner and promotes it, as kubeadm does. One at a time: etcd allows one learner.
func (g *guest) joinEtcd(ctx context.Context, c *cluster, config plane.EtcdConfig) error {
	if err := c.lockJoin(ctx); err != nil {
		return err
	}
	defer c.unlockJoin()
	client, err := c.etcdClient(config)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	var added *clientv3.MemberAddResponse
	err = retry(ctx, "adding the etcd member", func(ctx context.Context) (err error) {
		added, err = client.MemberAddAsLearner(ctx, []string{config.PeerURL()})
		return err
	})
	if err != nil {
		return err
	}
	config.Join, config.Peers = true, map[string]string{}
	for _, m := range added.Members {
		name := m.Name
		if m.ID == added.Member.ID {
			name = config.Name
		}
		config.Peers[name] = m.PeerURLs[0]
	}
	started, err := plane.StartEtcd(config)
	member, err := g.start(ctx, started, err)
	if err != nil {
		return err
	}
	g.etcd = true
	if err := promote(ctx, client, added.Member.ID, member); err != nil {
		return err
	}
	if err := g.waitEtcd(ctx, config, member); err != nil {
		return err
	}
	g.log.Info("etcd member has joined", "members", len(config.Peers))
	return nil
}

// waitEtcd waits until a member that has just joined serves clients, and restarts it when that takes too long, as the
// liveness probe of a kubelet would. A new member announces itself to the leader while its connections to the others are
// still being exchanged; when the announcement is lost, etcd tries again only after its request timeout of many seconds.
func (g *guest) waitEtcd(ctx context.Context, config plane.EtcdConfig, member *process.Process) error {
	for patience := etcdPatience; ; patience *= 2 {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := plane.WaitEtcd(attempt, config, member)
		cancel()
		if err == nil || ctx.Err() != nil || member.Err() != nil {
			return err
		}
		g.log.Info("restarting the etcd member", "reason", err.Error())
		g.forget(member)
		member.Kill()
		started, err := plane.StartEtcd(config)
		if member, err = g.start(ctx, started, err); err != nil {
			return err
		}
	}
}

// promote makes a learner a voting member as soon as it has caught up.
func promote(ctx context.Context, client *clientv3.Client, id uint64, member *process.Process) error {
	return retry(ctx, "promoting the etcd member", func(ctx context.Context) error {
		select {
		case <-member.Done():
			return permanent(fmt.Errorf("etcd has ended: %v; its output is in %s", member.Err(), member.Log()))
		default:
		}
		_, err := client.MemberPromote(ctx, id)
		return err
	})
}

// etcdClient talks to the members that are up.
func (c *cluster) etcdClient(config plane.EtcdConfig) (*clientv3.Client, error) {
	tls, err := plane.EtcdClientTLS(config.Authority)
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.etcdURLs(), TLS: tls, DialTimeout: etcdCallTimeout, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the etcd members of %s: %w", c.endpoint, err)
	}
	return client, nil
}

func (g *guest) apiServer(ip string) plane.APIServerConfig {
	k := g.config
	services := g.services
	if services == "" {
		services = defaultServices
	}
	config := plane.APIServerConfig{
		Binary: filepath.Join(g.hypervisor.options.Tools, "bin", "kube-apiserver"), Dir: filepath.Join(g.dir, "kube-apiserver"),
		Name: k.nodeName, Host: ip, Port: k.port, Authority: k.keys.ca,
		EtcdURL: "https://" + joinHostPort(ip, etcdClientPort), EtcdAuthority: k.keys.etcdCA,
		ServiceAccountKey: k.keys.serviceAccountKey, ServiceAccountPublicKey: k.keys.serviceAccountPublic,
		ServiceCIDR: services, DNSNames: []string{k.nodeName},
	}
	host, _, _ := net.SplitHostPort(k.endpoint)
	if address := net.ParseIP(host); address != nil {
		config.IPs = append(config.IPs, address)
	} else {
		config.DNSNames = append(config.DNSNames, host)
	}
	return config
}
