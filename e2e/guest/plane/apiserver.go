package plane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/process"
)

// adminGroup is the group whose members have all permissions.
const adminGroup = "system:masters"

// APIServerConfig describes one kube-apiserver.
type APIServerConfig struct {
	// Binary is the path of kube-apiserver.
	Binary string
	// Dir is the directory for certificates and the log.
	Dir  string
	Name string
	// Host is the IP address on which the server listens.
	Host string
	Port int
	// Authority signs the serving certificate and the client certificates.
	Authority *pki.Authority
	// EtcdURL is the client URL of the etcd member that the server uses. EtcdAuthority signs the certificates of the
	// member.
	EtcdURL       string
	EtcdAuthority *pki.Authority
	// ServiceAccountKey signs ServiceAccount tokens, and ServiceAccountPublicKey verifies them. Both keys are in PEM
	// format.
	ServiceAccountKey, ServiceAccountPublicKey []byte
	// ServiceCIDR is the range of ClusterIPs.
	ServiceCIDR string
	// DNSNames and IPs are additional names in the serving certificate.
	DNSNames []string
	IPs      []net.IP
	// Arguments are appended to the arguments of the server.
	Arguments []string
}

// URL returns the server's URL.
func (c APIServerConfig) URL() string { return endpoint(c.Host, c.Port) }

// StartAPIServer starts the server. WaitAPIServer waits until it is ready.
func StartAPIServer(c APIServerConfig) (*process.Process, error) {
	contents, err := apiServerFiles(c)
	if err != nil {
		return nil, err
	}
	files, err := writeFiles(c.Dir, contents)
	if err != nil {
		return nil, fmt.Errorf("starting kube-apiserver %s: %w", c.Name, err)
	}
	return process.Start(process.Spec{
		Name: "kube-apiserver " + c.Name,
		Path: c.Binary,
		Args: append(apiServerArguments(c, files), c.Arguments...),
		// Collect garbage less often, because the machines that run the tests have much memory and few CPU cores.
		Env: []string{"GOGC=400", "GOMEMLIMIT=1GiB"},
		Dir: c.Dir,
		Log: filepath.Join(c.Dir, "kube-apiserver.log"),
	})
}

// WaitAPIServer waits until the server is ready. It returns an error if the process exits or ctx is cancelled.
func WaitAPIServer(ctx context.Context, c APIServerConfig, p *process.Process) error {
	pair, err := c.Authority.Issue(pki.Request{CommonName: "probe", Organizations: []string{adminGroup}})
	if err != nil {
		return err
	}
	return waitReady(ctx, p, c.URL()+"/readyz", c.Authority, pair)
}

// apiServerFiles issues the certificates of a kubeadm control plane. The common names are the same as kubeadm's,
// because Cluster API reads the expiry of the certificate with the common name kube-apiserver.
func apiServerFiles(c APIServerConfig) (map[string][]byte, error) {
	serving, err := c.Authority.Issue(pki.Request{
		CommonName: "kube-apiserver",
		DNSNames:   append([]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}, c.DNSNames...),
		IPs:        append([]net.IP{net.ParseIP(c.Host)}, c.IPs...),
	})
	if err != nil {
		return nil, err
	}
	kubelet, err := c.Authority.Issue(pki.Request{
		CommonName: "kube-apiserver-kubelet-client", Organizations: []string{"kubeadm:cluster-admins"},
	})
	if err != nil {
		return nil, err
	}
	etcd, err := c.EtcdAuthority.Issue(pki.Request{CommonName: "kube-apiserver-etcd-client"})
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"ca.crt":                       c.Authority.PEM,
		"apiserver.crt":                serving.Certificate,
		"apiserver.key":                serving.Key,
		"apiserver-kubelet-client.crt": kubelet.Certificate,
		"apiserver-kubelet-client.key": kubelet.Key,
		"apiserver-etcd-client.crt":    etcd.Certificate,
		"apiserver-etcd-client.key":    etcd.Key,
		"etcd-ca.crt":                  c.EtcdAuthority.PEM,
		"sa.key":                       c.ServiceAccountKey,
		"sa.pub":                       c.ServiceAccountPublicKey,
	}, nil
}

func apiServerArguments(c APIServerConfig, files map[string]string) []string {
	return []string{
		"--bind-address=" + c.Host,
		"--advertise-address=" + c.Host,
		"--secure-port=" + strconv.Itoa(c.Port),
		"--etcd-servers=" + c.EtcdURL,
		"--etcd-cafile=" + files["etcd-ca.crt"],
		"--etcd-certfile=" + files["apiserver-etcd-client.crt"],
		"--etcd-keyfile=" + files["apiserver-etcd-client.key"],
		"--client-ca-file=" + files["ca.crt"],
		"--tls-cert-file=" + files["apiserver.crt"],
		"--tls-private-key-file=" + files["apiserver.key"],
		"--kubelet-client-certificate=" + files["apiserver-kubelet-client.crt"],
		"--kubelet-client-key=" + files["apiserver-kubelet-client.key"],
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + files["sa.pub"],
		"--service-account-signing-key-file=" + files["sa.key"],
		"--service-cluster-ip-range=" + c.ServiceCIDR,
		"--authorization-mode=Node,RBAC",
		"--enable-bootstrap-token-auth=true",
		"--allow-privileged=true",
		// The reconciler for the endpoints of the Service "kubernetes" is disabled, because endpoints must not be loopback
		// addresses.
		"--endpoint-reconciler-type=none",
		// The plugin would reject Pods until a token controller has created the ServiceAccount, but there is no token
		// controller.
		"--disable-admission-plugins=ServiceAccount",
		// Features that simulated clusters do not use are disabled to save CPU time.
		"--profiling=false",
		"--enable-priority-and-fairness=false",
		"--enable-logs-handler=false",
		"--runtime-config=autoscaling/v1=false,autoscaling/v2=false,batch/v1=false,flowcontrol.apiserver.k8s.io/v1=false",
		"--event-ttl=1h",
		"--v=1",
	}
}
