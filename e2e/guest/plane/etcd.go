// Package plane runs real etcd members and real kube-apiservers as child processes, for the management cluster and for
// the control planes inside simulated virtual machines.
package plane

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/process"
)

// EtcdConfig describes one etcd member. The name of the member must equal the name of its Node, because Cluster API
// finds the member of a Node by name.
type EtcdConfig struct {
	// Binary is the path of etcd.
	Binary string
	// Dir is the directory for the data, the certificates and the log of the member.
	Dir  string
	Name string
	// Host is the IP address on which the member listens.
	Host                 string
	ClientPort, PeerPort int
	// Authority signs the certificates of servers, peers and clients.
	Authority *pki.Authority
	// Peers maps the name of each member, including this one, to its peer URL. If Peers is nil, this is the only member.
	Peers map[string]string
	// Join is true for a member that was added to a running etcd cluster.
	Join bool
}

// ClientURL returns the member's URL for clients.
func (c EtcdConfig) ClientURL() string { return endpoint(c.Host, c.ClientPort) }

// PeerURL returns the member's URL for other members.
func (c EtcdConfig) PeerURL() string { return endpoint(c.Host, c.PeerPort) }

// StartEtcd starts a member and returns when the member listens on its ports. WaitEtcd waits until the member is ready.
func StartEtcd(c EtcdConfig) (*process.Process, error) {
	pair, err := c.Authority.Issue(pki.Request{
		CommonName: c.Name, DNSNames: []string{"localhost"}, IPs: []net.IP{net.ParseIP(c.Host)},
	})
	if err != nil {
		return nil, err
	}
	files, err := writeFiles(c.Dir, map[string][]byte{
		"ca.crt": c.Authority.PEM, "etcd.crt": pair.Certificate, "etcd.key": pair.Key,
	})
	if err != nil {
		return nil, fmt.Errorf("starting etcd member %s: %w", c.Name, err)
	}
	return process.Start(process.Spec{
		Name: "etcd " + c.Name,
		Path: c.Binary,
		Args: etcdArguments(c, files),
		Dir:  c.Dir,
		Log:  filepath.Join(c.Dir, "etcd.log"),
	})
}

func etcdArguments(c EtcdConfig, files map[string]string) []string {
	peers := c.Peers
	if peers == nil {
		peers = map[string]string{c.Name: c.PeerURL()}
	}
	state := "new"
	if c.Join {
		state = "existing"
	}
	return []string{
		"--name=" + c.Name,
		"--data-dir=" + filepath.Join(c.Dir, "data"),
		"--listen-client-urls=" + c.ClientURL(),
		"--advertise-client-urls=" + c.ClientURL(),
		"--listen-peer-urls=" + c.PeerURL(),
		"--initial-advertise-peer-urls=" + c.PeerURL(),
		"--initial-cluster=" + joinPeers(peers),
		"--initial-cluster-state=" + state,
		"--client-cert-auth=true",
		"--trusted-ca-file=" + files["ca.crt"],
		"--cert-file=" + files["etcd.crt"],
		"--key-file=" + files["etcd.key"],
		"--peer-client-cert-auth=true",
		"--peer-trusted-ca-file=" + files["ca.crt"],
		"--peer-cert-file=" + files["etcd.crt"],
		"--peer-key-file=" + files["etcd.key"],
		// The data need not survive a power failure of the host, and syncing is slow on the disks of CI machines.
		"--unsafe-no-fsync=true",
		// The default heartbeat interval (100 ms) and election timeout (1000 ms) are too short: the cluster would lose its leader on a
		// busy machine, because all members share a few CPU cores.
		"--heartbeat-interval=250",
		"--election-timeout=2500",
		"--log-level=warn",
	}
}

// WaitEtcd waits until the member is ready. It returns an error if the process exits or ctx is cancelled.
func WaitEtcd(ctx context.Context, c EtcdConfig, p *process.Process) error {
	pair, err := c.Authority.Issue(pki.Request{CommonName: "probe"})
	if err != nil {
		return err
	}
	return waitReady(ctx, p, c.ClientURL()+"/readyz", c.Authority, pair)
}

// EtcdClientTLS returns the TLS configuration with which clients connect to members whose certificates the authority
// signed.
func EtcdClientTLS(authority *pki.Authority) (*tls.Config, error) {
	pair, err := authority.Issue(pki.Request{CommonName: "root"})
	if err != nil {
		return nil, err
	}
	certificate, err := pair.TLS()
	if err != nil {
		return nil, fmt.Errorf("preparing an etcd client: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}, nil
}

func joinPeers(peers map[string]string) string {
	list := ""
	for name, url := range peers {
		if list != "" {
			list += ","
		}
		list += name + "=" + url
	}
	return list
}

func endpoint(host string, port int) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// writeFiles writes files that contain secrets and returns the paths of the files by name.
func writeFiles(dir string, contents map[string][]byte) (map[string]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating %s: %w", dir, err)
	}
	paths := make(map[string]string, len(contents))
	for name, content := range contents {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("writing %s: %w", path, err)
		}
		paths[name] = path
	}
	return paths, nil
}
