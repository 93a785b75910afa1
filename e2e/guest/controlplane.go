package guest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
)

const (
	etcdClientPort = 2379
	etcdPeerPort   = 2380
	// retryInterval is the pause between the attempts of a booting guest.
	retryInterval = 250 * time.Millisecond
	// etcdCallTimeout is the timeout of one call to another etcd member.
	etcdCallTimeout = 5 * time.Second
	// etcdPatience is the time after which a new member that does not serve yet is restarted for the first time.
	etcdPatience = 2 * time.Second
	// apiServerAttempts is how often kube-apiserver may end before it is ready: one that always ends is misconfigured.
	apiServerAttempts = 5
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
	if err := g.startAPIServer(ctx, server); err != nil {
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

// startAPIServer starts kube-apiserver and, like a kubelet, restarts it when it exits before it is ready. kube-apiserver
// exits when it cannot write its roles for half a minute, because etcd can have no leader while another member joins.
func (g *guest) startAPIServer(ctx context.Context, server plane.APIServerConfig) error {
	for attempt := 1; ; attempt++ {
		started, err := plane.StartAPIServer(server)
		apiServer, err := g.start(ctx, started, err)
		if err != nil {
			return err
		}
		err = plane.WaitAPIServer(ctx, server, apiServer)
		select {
		case <-apiServer.Done():
		default:
			return err
		}
		if err == nil || ctx.Err() != nil || attempt == apiServerAttempts {
			return err
		}
		g.log.Info("restarting kube-apiserver", "reason", err.Error())
		g.forget(apiServer)
	}
}

// startEtcd starts the etcd member: as the first member, as a new member of the running cluster, or with the data on its
// disk.
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

	var id uint64
	config.Join = true
	err = retry(ctx, "adding the etcd member", func(ctx context.Context) (err error) {
		id, config.Peers, err = addLearner(ctx, client, config.Name, config.PeerURL())
		return err
	})
	if err != nil {
		return err
	}
	started, err := plane.StartEtcd(config)
	member, err := g.start(ctx, started, err)
	if err != nil {
		return err
	}
	g.etcd = true
	if err := promote(ctx, client, id, member); err != nil {
		return err
	}
	if err := g.waitEtcd(ctx, config, member); err != nil {
		return err
	}
	g.log.Info("etcd member has joined", "members", len(config.Peers))
	return nil
}

// addLearner adds a member and returns its ID and the peer URLs of all members by name. It reuses a member that an earlier
// call added although its response was lost, because etcd refuses to add the same member twice.
func addLearner(ctx context.Context, client *clientv3.Client, name, url string) (id uint64, peers map[string]string, err error) {
	known, err := client.MemberList(ctx)
	if err != nil {
		return 0, nil, err
	}
	members := known.Members
	for _, m := range members {
		if slices.Contains(m.PeerURLs, url) {
			id = m.ID
		}
	}
	if id == 0 {
		added, err := client.MemberAddAsLearner(ctx, []string{url})
		if err != nil {
			return 0, nil, err
		}
		id, members = added.Member.ID, added.Members
	}
	peers = map[string]string{name: url}
	for _, m := range members {
		if m.ID != id {
			peers[m.Name] = m.PeerURLs[0]
		}
	}
	return id, peers, nil
}

// waitEtcd waits until a new member serves clients, and restarts it when that takes too long, as a kubelet's liveness
// probe would. A new member announces itself to the leader while its connections to the other members are still being
// set up. When the announcement is lost, etcd retries only after its request timeout of many seconds.
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

// promote makes a learner a voting member as soon as it has caught up. A member that already votes is a success: an
// earlier call promoted it and its response was lost.
func promote(ctx context.Context, client *clientv3.Client, id uint64, member *process.Process) error {
	return retry(ctx, "promoting the etcd member", func(ctx context.Context) error {
		select {
		case <-member.Done():
			return permanent(fmt.Errorf("etcd has ended: %v; its output is in %s", member.Err(), member.Log()))
		default:
		}
		_, err := client.MemberPromote(ctx, id)
		if err == nil {
			return nil
		}
		if known, listed := client.MemberList(ctx); listed == nil {
			for _, m := range known.Members {
				if m.ID == id && !m.IsLearner {
					return nil
				}
			}
		}
		return err
	})
}

// etcdClient returns a client of all members that serve.
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
