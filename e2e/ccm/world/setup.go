package world

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// credentials is the Secret with the user of Prism Central.
const credentials = "nutanix-creds"

// TrustBundle is the ConfigMap with certificates; see World.Trust.
const TrustBundle = "user-ca-bundle"

// Names in the inventory.
const (
	VPC            = "vpc"
	NodeSubnet     = "nodes"
	ServiceSubnet  = "services"
	ExternalSubnet = "external"
	VLANSubnet     = "vlan"
	PrismElement   = "prism-element"
	PrismCentral   = "prism-central"
)

// KubeVIPAnnotation is what kube-vip reads the address of a Service from.
const KubeVIPAnnotation = "kube-vip.io/loadbalancerIPs"

// configuration is that of a cluster in a VPC, with all kinds of load balancers allowed. What is cached is cached briefly,
// and the rate limit is out of the way: scenarios about those set their own.
func (w *World) configuration(cluster string) config.Config {
	address, port := w.Proxy.Address()
	name := func(name string) config.Identifier { return config.Identifier{Type: "name", Name: name} }
	external := name(ExternalSubnet)
	c := config.Config{
		PrismCentral: config.PrismCentral{
			Address: address, Port: port,
			CredentialRef:         &config.Reference{Kind: "secret", Name: credentials, Namespace: w.site.Deployment.Namespace},
			AdditionalTrustBundle: &config.TrustBundle{Kind: "String", Data: string(w.Proxy.TrustBundle)},
		},
		ClusterName: cluster,
		LoadBalancer: config.LoadBalancer{
			Type: config.LoadBalancerNLB,
			NLB:  &config.NLB{VPC: name(VPC), Subnet: name(ServiceSubnet), ExternalSubnet: &external},
			IPAM: &config.IPAM{Subnet: name(VLANSubnet)},
		},
		Client: config.Client{
			Timeout: seconds(30), TaskTimeout: seconds(60), CacheTTL: metav1.Duration{Duration: 500 * time.Millisecond},
			RequestsPerSecond: 500, Burst: 500,
		},
	}
	c.Default()
	return c
}

func seconds(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Second} }

// prepareManager says how the binary is started: as deployed, but for where things are on this machine. Periods are
// short, because what they are for is waited for; one process at a time needs no leader.
func (w *World) prepareManager(flags []string) {
	kubeconfig := filepath.Join(w.dir, "kubeconfig")
	require.NoError(w.t, w.ctl.tokenKubeconfig(w.ctx(), w.site.Deployment, kubeconfig))
	w.flags = append(append(append([]string{}, w.site.Deployment.Flags...),
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--cloud-config="+w.configPath(),
		"--bind-address="+host,
		"--leader-elect=false",
		"--node-monitor-period="+monitorPeriod.String(),
		"--node-status-update-frequency=1s",
		"--v=2",
	), flags...)
	w.Manager = w.newManager("capnt-ccm")
}

func (w *World) newManager(name string) *Manager {
	ports, err := freeport.Find(host, 1)
	require.NoError(w.t, err)
	return &Manager{port: ports[0], spec: process.Spec{
		Name: name, Path: w.site.Binary, Dir: w.dir, Log: filepath.Join(w.dir, name+".log"),
		Env: []string{"POD_NAMESPACE=" + w.site.Deployment.Namespace},
		Args: append(append([]string{}, w.flags...),
			"--secure-port="+strconv.Itoa(ports[0]), "--cert-dir="+filepath.Join(w.dir, name+"-certificates")),
	}}
}

// Replica prepares a second manager, to be started by the scenario.
func (w *World) Replica() *Manager {
	w.t.Helper()
	replica := w.newManager("capnt-ccm-2")
	w.t.Cleanup(replica.Kill)
	return replica
}

// Start starts the manager and waits until it says that it is healthy.
func (w *World) Start() {
	w.t.Helper()
	require.NoError(w.t, w.Manager.Start())
	w.Until("the manager to be healthy", func() string {
		select {
		case <-w.Manager.Done():
			w.t.Fatalf("the manager ended: %v\n%s", w.Manager.process.Err(), w.tail())
		default:
		}
		if err := w.Manager.Healthy(w.ctx()); err != nil {
			return fmt.Sprint(err)
		}
		return ""
	})
}
