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
	// retryInterval is the pause between two attempts of an operation while a guest boots.
	retryInterval = 250 * time.Millisecond
	// etcdCallTimeout is the timeout of one call to another etcd member.
	etcdCallTimeout = 5 * time.Second
	// etcdPatience is how long a new member may take to serve clients before it is restarted for the first time.
	etcdPatience = 2 * time.Second
	// apiServerAttempts limits how often kube-apiserver is started. A kube-apiserver that exits each time before it is
	// ready is misconfigured.
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

// startAPIServer starts kube-apiserver. If kube-apiserver exits before it is ready, startAPIServer restarts it, as a
// kubelet does. kube-apiserver exits if it cannot write its roles for half a minute, which happens if etcd has no
// leader while another member joins.
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

// startEtcd starts the etcd member of the guest. The member is the first one of its cluster, joins the running cluster,
// or continues with the data on its disk.
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

// joinEtcd adds the guest's etcd member as a learner and promotes it to a voting member, as kubeadm does. Only one
// control plane joins at a time, because etcd allows only one learner.
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

// addLearner adds a member to etcd. It returns the ID of the member and the peer URLs of all members by name. If an
// earlier call has already added the member but its response was lost, addLearner returns that member, because etcd
// does not accept the same member twice.
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

// waitEtcd waits until a new member serves clients. If this takes too long, waitEtcd restarts the member, as the
// liveness probe of a kubelet would. The restart is needed because a new member announces itself to the leader before
// its connections to the other members are set up. If the announcement is lost, etcd repeats it only after a request
// timeout of many seconds.
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

// promote makes a learner a voting member as soon as the learner has caught up with the leader. If the member already
// votes, promote succeeds, because an earlier call may have promoted the member although its response was lost.
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

// etcdClient returns a client for the etcd members of all running control planes.
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
