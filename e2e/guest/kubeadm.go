package guest

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/e2e/guest/pki"
)

// Cluster API's kubeadm bootstrap provider writes kubeadm's configuration to these paths.
const (
	initFile   = "/run/kubeadm/kubeadm.yaml"
	joinFile   = "/run/kubeadm/kubeadm-join-config.yaml"
	pkiDir     = "/etc/kubernetes/pki/"
	defaultAPI = 6443
)

// controlPlaneTaint is the taint that kubeadm adds to control-plane Nodes by default.
var controlPlaneTaint = corev1.Taint{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}

// kubeadm is the kubeadm configuration of one guest.
type kubeadm struct {
	// initialize is true if the machine initializes the cluster, and false if it joins the cluster.
	initialize bool
	// endpoint is the control-plane endpoint of the cluster in the format host:port.
	endpoint string
	nodeName string
	// taints are the taints of the Node. They include controlPlaneTaint.
	taints []corev1.Taint
	// kubeletArguments contains the arguments of the kubelet by name. The names have no leading dashes.
	kubeletArguments map[string]string
	// port is the port of the kube-apiserver on this machine.
	port int
	// keys is set only for control planes.
	keys *keys
	// cluster is set only for the machine that initializes the cluster.
	cluster *clusterConfiguration
	// token and pins are set only for machines that join. pins are the accepted hashes of certificate authorities.
	token string
	pins  []string
}

// keys contains the certificate authorities and keys that all control planes of a cluster share.
type keys struct {
	ca, etcdCA                              *pki.Authority
	serviceAccountKey, serviceAccountPublic []byte
}

// clusterConfiguration is the part of kubeadm's ClusterConfiguration that guests use.
type clusterConfiguration struct {
	ControlPlaneEndpoint string `json:"controlPlaneEndpoint"`
	KubernetesVersion    string `json:"kubernetesVersion"`
	Networking           struct {
		ServiceSubnet string `json:"serviceSubnet"`
	} `json:"networking"`
	// text is the YAML document, which is uploaded to the ConfigMap kubeadm-config.
	text []byte
}

// nodeRegistration is kubeadm's nodeRegistration. It supports v1beta3, where the arguments are a map, and v1beta4,
// where they are a list.
type nodeRegistration struct {
	Name             string          `json:"name"`
	Taints           *[]corev1.Taint `json:"taints"`
	KubeletExtraArgs json.RawMessage `json:"kubeletExtraArgs"`
}

type localAPIEndpoint struct {
	BindPort int `json:"bindPort"`
}

// readKubeadm reads the kubeadm configuration in the seed of a guest. The configuration determines whether the guest
// initializes or joins a cluster.
func readKubeadm(s *seed) (*kubeadm, error) {
	if !strings.Contains(s.commands, "kubeadm ") {
		return nil, fmt.Errorf("reading user-data: no command of runcmd calls kubeadm")
	}
	if file, ok := s.files[initFile]; ok {
		return readInit(s, file)
	}
	if file, ok := s.files[joinFile]; ok {
		return readJoin(s, file)
	}
	return nil, fmt.Errorf("reading user-data: neither %s nor %s is among its files", initFile, joinFile)
}

func readInit(s *seed, file []byte) (*kubeadm, error) {
	byKind, text, err := documents(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", initFile, err)
	}
	var local struct {
		NodeRegistration nodeRegistration `json:"nodeRegistration"`
		LocalAPIEndpoint localAPIEndpoint `json:"localAPIEndpoint"`
	}
	cluster := &clusterConfiguration{text: text["ClusterConfiguration"]}
	if err := unmarshal(byKind, "InitConfiguration", &local); err != nil {
		return nil, fmt.Errorf("reading %s: %w", initFile, err)
	}
	if err := unmarshal(byKind, "ClusterConfiguration", cluster); err != nil {
		return nil, fmt.Errorf("reading %s: %w", initFile, err)
	}
	if cluster.ControlPlaneEndpoint == "" {
		return nil, fmt.Errorf("reading %s: ClusterConfiguration has no controlPlaneEndpoint", initFile)
	}
	k := &kubeadm{initialize: true, endpoint: withPort(cluster.ControlPlaneEndpoint), cluster: cluster}
	if err := k.register(s, local.NodeRegistration, local.LocalAPIEndpoint, true); err != nil {
		return nil, err
	}
	return k, nil
}

func readJoin(s *seed, file []byte) (*kubeadm, error) {
	byKind, _, err := documents(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", joinFile, err)
	}
	var join struct {
		NodeRegistration nodeRegistration `json:"nodeRegistration"`
		Discovery        struct {
			BootstrapToken struct {
				APIServerEndpoint string   `json:"apiServerEndpoint"`
				Token             string   `json:"token"`
				CACertHashes      []string `json:"caCertHashes"`
			} `json:"bootstrapToken"`
		} `json:"discovery"`
		ControlPlane *struct {
			LocalAPIEndpoint localAPIEndpoint `json:"localAPIEndpoint"`
		} `json:"controlPlane"`
	}
	if err := unmarshal(byKind, "JoinConfiguration", &join); err != nil {
		return nil, fmt.Errorf("reading %s: %w", joinFile, err)
	}
	discovery := join.Discovery.BootstrapToken
	if discovery.APIServerEndpoint == "" || discovery.Token == "" {
		return nil, fmt.Errorf("reading %s: discovery.bootstrapToken has no endpoint or no token: only discovery by token is simulated", joinFile)
	}
	k := &kubeadm{endpoint: withPort(discovery.APIServerEndpoint), token: discovery.Token, pins: discovery.CACertHashes}
	var local localAPIEndpoint
	if join.ControlPlane != nil {
		local = join.ControlPlane.LocalAPIEndpoint
	}
	if err := k.register(s, join.NodeRegistration, local, join.ControlPlane != nil); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *kubeadm) register(s *seed, r nodeRegistration, local localAPIEndpoint, controlPlane bool) error {
	k.nodeName = r.Name
	if k.nodeName == "" {
		k.nodeName = s.hostname
	}
	var err error
	if k.kubeletArguments, err = readArguments(r.KubeletExtraArgs); err != nil {
		return err
	}
	if r.Taints != nil {
		k.taints = *r.Taints
	} else if controlPlane {
		k.taints = []corev1.Taint{controlPlaneTaint}
	}
	if !controlPlane {
		return nil
	}
	k.port = local.BindPort
	if k.port == 0 {
		k.port = defaultAPI
	}
	k.keys, err = readKeys(s)
	return err
}

func readKeys(s *seed) (*keys, error) {
	ca, err := pki.LoadAuthority(s.files[pkiDir+"ca.crt"], s.files[pkiDir+"ca.key"])
	if err != nil {
		return nil, fmt.Errorf("reading %sca.crt: %w", pkiDir, err)
	}
	etcdCA, err := pki.LoadAuthority(s.files[pkiDir+"etcd/ca.crt"], s.files[pkiDir+"etcd/ca.key"])
	if err != nil {
		return nil, fmt.Errorf("reading %setcd/ca.crt: %w", pkiDir, err)
	}
	k := &keys{
		ca: ca, etcdCA: etcdCA,
		serviceAccountKey: s.files[pkiDir+"sa.key"], serviceAccountPublic: s.files[pkiDir+"sa.pub"],
	}
	if len(k.serviceAccountKey) == 0 || len(k.serviceAccountPublic) == 0 {
		return nil, fmt.Errorf("reading user-data: %ssa.key or %ssa.pub is missing", pkiDir, pkiDir)
	}
	return k, nil
}

func readArguments(raw json.RawMessage) (map[string]string, error) {
	arguments := map[string]string{}
	if len(raw) == 0 || string(raw) == "null" {
		return arguments, nil
	}
	if json.Unmarshal(raw, &arguments) == nil {
		return arguments, nil
	}
	var list []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading kubeletExtraArgs: %w", err)
	}
	for _, argument := range list {
		arguments[argument.Name] = argument.Value
	}
	return arguments, nil
}

func unmarshal(byKind map[string]json.RawMessage, kind string, into any) error {
	raw, ok := byKind[kind]
	if !ok {
		return fmt.Errorf("it has no document of kind %s", kind)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("document %s: %w", kind, err)
	}
	return nil
}

func withPort(endpoint string) string {
	if _, _, err := net.SplitHostPort(endpoint); err == nil {
		return endpoint
	}
	return net.JoinHostPort(strings.Trim(endpoint, "[]"), strconv.Itoa(defaultAPI))
}
