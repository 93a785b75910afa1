package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

// firstPassword must not appear in a log or an event.
const firstPassword = "hunter2-first"

// inventory contains a VPC. No server listens on its addresses.
const inventory = `
prismElements:
- name: pe
vpcs:
- name: blue
subnets:
- {name: blue-nodes, type: OVERLAY, vpc: blue, cidr: 10.60.1.0/24, ipam: true, pools: [10.60.1.10-10.60.1.15]}
- {name: blue-vips, type: OVERLAY, vpc: blue, cidr: 10.60.2.0/24, ipam: true, pools: [10.60.2.10-10.60.2.12]}
`

// fixture is a Prism Central and a cluster with the service account of the manifests.
type fixture struct {
	t     *testing.T
	prism *prismsim.Server
	// kubeconfig contains the token of the service account. config is the file for --cloud-config.
	kubeconfig, config string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, config: filepath.Join(t.TempDir(), "nutanix_config.json")}
	f.prism, _ = prismtest.Start(t, inventory, prismsim.Options{Password: firstPassword}, nutanix.Limits{})
	f.kubeconfig = serviceAccountKubeconfig(t)

	f.create(&corev1.Secret{ObjectMeta: in("nutanix-creds"), Data: credentials(firstPassword)})
	f.create(&corev1.ConfigMap{ObjectMeta: in("user-ca-bundle"), Data: map[string]string{"ca.crt": string(f.prism.CABundle())}})
	f.configure(nil)
	t.Setenv("POD_NAMESPACE", "kube-system")
	t.Setenv("POD_NAME", "capnt-ccm-"+rand.String(8)) // other tests and runs leave Events about their pods in the API server
	return f
}

func in(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "kube-system", Name: name}
}

func credentials(password string) map[string][]byte {
	return map[string][]byte{"credentials": fmt.Appendf(nil,
		`[{"type": "basic_auth", "data": {"prismCentral": {"username": "admin", "password": %q}}}]`, password)}
}

// create creates an object and deletes it at the end of the test.
func (f *fixture) create(object client.Object) {
	f.t.Helper()
	require.NoError(f.t, api.Create(f.t.Context(), object))
	f.t.Cleanup(func() { assert.NoError(f.t, client.IgnoreNotFound(api.Delete(context.Background(), object))) })
}

// configure writes the configuration file: the fields that every test needs, and those in more.
func (f *fixture) configure(more map[string]any) {
	f.t.Helper()
	host, port, err := net.SplitHostPort(f.prism.Address())
	require.NoError(f.t, err)
	number, err := strconv.Atoi(port)
	require.NoError(f.t, err)
	fields := map[string]any{"prismCentral": map[string]any{
		"address": host, "port": number, "credentialRef": map[string]any{"kind": "secret", "name": "nutanix-creds"},
		"additionalTrustBundle": map[string]any{"kind": "ConfigMap", "name": "user-ca-bundle"},
	}}
	for name, value := range more {
		fields[name] = value
	}
	content, err := json.Marshal(fields)
	require.NoError(f.t, err)
	require.NoError(f.t, os.WriteFile(f.config, content, 0o600))
}

// withLoadBalancers returns the configuration fields for load balancers in a VPC.
func withLoadBalancers() map[string]any {
	named := func(name string) map[string]any { return map[string]any{"type": "name", "name": name} }
	return map[string]any{"clusterName": "my-cluster", "loadBalancer": map[string]any{
		"type": "nlb", "nlb": map[string]any{"vpc": named("blue"), "subnet": named("blue-vips")},
	}}
}

// serviceAccountKubeconfig writes a kubeconfig with a token like that of a pod.
func serviceAccountKubeconfig(t *testing.T) string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster)
	require.NoError(t, err)
	token, err := clients.CoreV1().ServiceAccounts("kube-system").CreateToken(t.Context(), "capnt-ccm", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	k := clientcmdapi.NewConfig()
	k.Clusters["c"] = &clientcmdapi.Cluster{Server: cluster.Host, CertificateAuthorityData: cluster.CAData}
	k.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	k.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	k.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*k, path))
	return path
}

// vm creates a running virtual machine in the VPC.
func (f *fixture) vm(name string) prismsim.VM {
	f.t.Helper()
	vms, err := f.prism.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: name, PrismElement: "pe", Subnets: []string{"blue-nodes"}})
	require.NoError(f.t, err)
	return vms[0]
}

// register creates a Node as a kubelet with --cloud-provider=external does.
func (f *fixture) register(vm prismsim.VM) {
	f.t.Helper()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: vm.Name},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: cloudproviderapi.TaintExternalCloudProvider, Value: "true", Effect: corev1.TaintEffectNoSchedule},
		}},
	}
	f.create(node)
	f.ready(vm.Name, corev1.ConditionTrue, vm.UUID)
}

// ready updates the status of a Node as its kubelet does.
func (f *fixture) ready(name string, ready corev1.ConditionStatus, systemUUID string) {
	f.t.Helper()
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		node := &corev1.Node{}
		require.NoError(c, api.Get(f.t.Context(), client.ObjectKey{Name: name}, node))
		node.Status.NodeInfo.SystemUUID = systemUUID
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		node.Status.Images = []corev1.ContainerImage{{Names: []string{"pause"}}}
		require.NoError(c, api.Status().Update(f.t.Context(), node))
	}, deadline, tick)
}

// initialised waits until a Node has its provider ID and its addresses and has lost its taint.
func (f *fixture) initialised(vm prismsim.VM) *corev1.Node {
	f.t.Helper()
	node := &corev1.Node{}
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(f.t.Context(), client.ObjectKey{Name: vm.Name}, node))
		assert.Equal(c, "nutanix://"+vm.UUID, node.Spec.ProviderID)
		for _, taint := range node.Spec.Taints {
			assert.NotEqual(c, cloudproviderapi.TaintExternalCloudProvider, taint.Key)
		}
		assert.NotEmpty(c, node.Status.Addresses)
		assert.NotEmpty(c, node.Status.Images, "a part of the Node was lost that is not watched")
		assert.Greater(c, len(node.ManagedFields), 1, "fields of others were taken over")
	}, deadline, tick)
	return node
}

// awaitEvent waits for an Event about the pod with that reason whose message contains part.
func (f *fixture) awaitEvent(reason, part string) {
	f.t.Helper()
	message := ""
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		events := &corev1.EventList{}
		require.NoError(c, api.List(f.t.Context(), events, client.InNamespace("kube-system")))
		for _, event := range events.Items {
			if event.Reason == reason && event.InvolvedObject.Name == os.Getenv("POD_NAME") && strings.Contains(event.Message, part) {
				message = event.Message
			}
		}
		assert.NotEmpty(c, message, "no Event %s with %q", reason, part)
	}, deadline, tick)
	assert.NotContains(f.t, message, firstPassword)
}
