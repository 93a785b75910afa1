package guest

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestReadKubeadmWorker(t *testing.T) {
	for name, arguments := range map[string]string{
		"v1beta3": "    cloud-provider: external\n    node-labels: a=b\n",
		"v1beta4": "  - name: cloud-provider\n    value: external\n  - name: node-labels\n    value: a=b\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := &seed{hostname: "worker-1", commands: "kubeadm join", files: map[string][]byte{joinFile: []byte(`---
apiVersion: kubeadm.k8s.io/` + name + `
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: 127.0.0.9:6443
    token: abcdef.0123456789abcdef
    caCertHashes: ["sha256:00"]
nodeRegistration:
  kubeletExtraArgs:
` + arguments + `  taints:
  - key: node.cluster.x-k8s.io/uninitialized
    effect: NoSchedule
`)}}
			k, err := readKubeadm(s)
			require.NoError(t, err)
			require.False(t, k.initialize)
			require.Nil(t, k.keys)
			require.Equal(t, "worker-1", k.nodeName)
			require.Equal(t, "127.0.0.9:6443", k.endpoint)
			require.Equal(t, "abcdef.0123456789abcdef", k.token)
			require.Equal(t, []string{"sha256:00"}, k.pins)
			require.Equal(t, map[string]string{"cloud-provider": "external", "node-labels": "a=b"}, k.kubeletArguments)
			require.Equal(t, []corev1.Taint{{Key: "node.cluster.x-k8s.io/uninitialized", Effect: corev1.TaintEffectNoSchedule}}, k.taints)
		})
	}
}

func TestReadKubeadmReportsMissingFields(t *testing.T) {
	const configured = "kind: ClusterConfiguration\ncontrolPlaneEndpoint: 127.0.0.9\n---\nkind: InitConfiguration\n"
	for name, test := range map[string]struct {
		commands string
		files    map[string]string
		want     string
	}{
		"no kubeadm":   {"echo", nil, "calls kubeadm"},
		"no config":    {"kubeadm init", nil, "neither " + initFile},
		"no endpoint":  {"kubeadm init", map[string]string{initFile: "kind: ClusterConfiguration\n---\nkind: InitConfiguration\n"}, "controlPlaneEndpoint"},
		"no init":      {"kubeadm init", map[string]string{initFile: "kind: ClusterConfiguration\n"}, "no document of kind InitConfiguration"},
		"no authority": {"kubeadm init", map[string]string{initFile: configured}, "/etc/kubernetes/pki/ca.crt"},
		"no token":     {"kubeadm join", map[string]string{joinFile: "kind: JoinConfiguration\n"}, "discovery by token"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &seed{commands: test.commands, files: map[string][]byte{}}
			for path, content := range test.files {
				s.files[path] = []byte(content)
			}
			_, err := readKubeadm(s)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestWithPort(t *testing.T) {
	require.Equal(t, "10.0.0.1:6443", withPort("10.0.0.1"))
	require.Equal(t, "10.0.0.1:7443", withPort("10.0.0.1:7443"))
	require.Equal(t, "[::1]:6443", withPort("::1"))
}
