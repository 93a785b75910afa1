package cli

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// workloadCluster starts an API server whose only Node has a number of pods, and returns the Secret with its kubeconfig.
func workloadCluster(t testing.TB, pods int) *corev1.Secret {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		selector := request.URL.Query().Get("fieldSelector")
		if request.URL.Path != "/api/v1/pods" || selector != "spec.nodeName=prod-md-0-9d8v2,status.phase!=Succeeded,status.phase!=Failed" {
			http.Error(response, "unexpected request: "+request.URL.String(), http.StatusBadRequest)
			return
		}
		list := metav1.PartialObjectMetadataList{Items: make([]metav1.PartialObjectMetadata, pods)}
		list.SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind("PartialObjectMetadataList"))
		response.Header().Set("Content-Type", "application/json")
		assert.NoError(t, json.NewEncoder(response).Encode(list))
	}))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return kubeconfigSecret(t, func(config *clientcmdapi.Config) {
		config.Clusters["prod"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: authority}
	})
}

// kubeconfigSecret returns the Secret with the kubeconfig of the cluster prod. change changes the kubeconfig.
func kubeconfigSecret(t testing.TB, change func(config *clientcmdapi.Config)) *corev1.Secret {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["prod"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: "token"}
	config.Contexts["prod"] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "admin"}
	config.CurrentContext = "prod"
	change(config)
	content, err := clientcmd.Write(*config)
	require.NoError(t, err)
	return kubeconfig.GenerateSecret(&clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prod"}}, content)
}

func TestPlanShow_WithoutAccessToTheWorkloadCluster(t *testing.T) {
	for name, test := range map[string]struct {
		secret *corev1.Secret
		reason string
	}{
		"no kubeconfig":            {nil, `unknown: reading the kubeconfig of the workload cluster: secrets`},
		"the cluster is away":      {kubeconfigSecret(t, func(*clientcmdapi.Config) {}), "unknown: listing the pods in the workload cluster:"},
		"the kubeconfig is broken": {kubeconfigSecret(t, func(config *clientcmdapi.Config) { config.CurrentContext = "test" }), "unknown: parsing the kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := drift(t)
			existing := []client.Object{&plan, machine("prod-md-0-9d8v2", "prod-a", true), owner("prod-md-0-9d8v2")}
			if test.secret != nil {
				existing = append(existing, test.secret)
			}
			program := newProgram(t, existing...)
			assert.Equal(t, 1, program.run(t, "plan", "show", driftPlan), program.err.String())
			assert.Contains(t, program.out.String(), "Ready, pods unknown)")
			assert.Contains(t, program.out.String(), "  Pods     "+test.reason)
		})
	}
}

// TestWorkloadConfigRefusesProgramsAndFiles checks that a Secret in the management cluster cannot make the program run something or send a
// file of the user somewhere.
func TestWorkloadConfigRefusesProgramsAndFiles(t *testing.T) {
	content := func(change func(config *clientcmdapi.Config)) []byte {
		return kubeconfigSecret(t, change).Data["value"]
	}
	config, err := workloadConfig(content(func(*clientcmdapi.Config) {}))
	require.NoError(t, err)
	assert.Equal(t, podsTimeout, config.Timeout)
	for name, change := range map[string]func(user *clientcmdapi.AuthInfo, cluster *clientcmdapi.Cluster){
		"program": func(user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
			user.Exec = &clientcmdapi.ExecConfig{Command: "sh", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
		},
		"plugin": func(user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
			user.AuthProvider = &clientcmdapi.AuthProviderConfig{Name: "oidc"}
		},
		"token": func(user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
			user.Token, user.TokenFile = "", "/etc/hosts"
		},
		"certificate": func(user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
			user.ClientCertificate, user.ClientKeyData = "/etc/hosts", []byte("key")
		},
		"key": func(user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
			user.ClientCertificateData, user.ClientKey = []byte("certificate"), "/etc/hosts"
		},
		"authority": func(_ *clientcmdapi.AuthInfo, cluster *clientcmdapi.Cluster) {
			cluster.CertificateAuthority = "/etc/hosts"
		},
	} {
		_, err := workloadConfig(content(func(config *clientcmdapi.Config) { change(config.AuthInfos["admin"], config.Clusters["prod"]) }))
		assert.ErrorContains(t, err, "not permitted", name)
	}
}
