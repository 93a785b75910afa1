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

// firstPassword must never be in a log or an event.
const firstPassword = "hunter2-first"

// inventory is a VPC. Nothing listens on its addresses.
const inventory = `
prismElements:
- name: pe
vpcs:
- name: blue
subnets:
- {name: blue-nodes, type: OVERLAY, vpc: blue, cidr: 10.60.1.0/24, ipam: true, pools: [10.60.1.10-10.60.1.15]}
- {name: blue-vips, type: OVERLAY, vpc: blue, cidr: 10.60.2.0/24, ipam: true, pools: [10.60.2.10-10.60.2.12]}
`

// world is a Prism Central and a cluster whose service account is that of the manifests.
type world struct {
	t     *testing.T
	prism *prismsim.Server
	// kubeconfig is that of the service account, config the file for --cloud-config.
	kubeconfig, config string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, config: filepath.Join(t.TempDir(), "nutanix_config.json")}
	w.prism, _ = prismtest.Start(t, inventory, prismsim.Options{Password: firstPassword}, nutanix.Limits{})
	w.kubeconfig = serviceAccountKubeconfig(t)

	w.create(&corev1.Secret{ObjectMeta: in("nutanix-creds"), Data: credentials(firstPassword)})
	w.create(&corev1.ConfigMap{ObjectMeta: in("user-ca-bundle"), Data: map[string]string{"ca.crt": string(w.prism.CABundle())}})
	w.configure(nil)
	t.Setenv("POD_NAMESPACE", "kube-system")
	t.Setenv("POD_NAME", "capnt-ccm-"+rand.String(8)) // Events about pods of other tests and runs stay in the API server
	return w
}

func in(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "kube-system", Name: name}
}

func credentials(password string) map[string][]byte {
	return map[string][]byte{"credentials": fmt.Appendf(nil,
		`[{"type": "basic_auth", "data": {"prismCentral": {"username": "admin", "password": %q}}}]`, password)}
}

// create makes an object that is deleted when the test ends.
func (w *world) create(object client.Object) {
	w.t.Helper()
	require.NoError(w.t, api.Create(w.t.Context(), object))
	w.t.Cleanup(func() { assert.NoError(w.t, client.IgnoreNotFound(api.Delete(context.Background(), object))) })
}

// configure writes the configuration file: what every test needs and more.
func (w *world) configure(more map[string]any) {
	w.t.Helper()
	host, port, err := net.SplitHostPort(w.prism.Address())
	require.NoError(w.t, err)
	number, err := strconv.Atoi(port)
	require.NoError(w.t, err)
	fields := map[string]any{"prismCentral": map[string]any{
		"address": host, "port": number, "credentialRef": map[string]any{"kind": "secret", "name": "nutanix-creds"},
		"additionalTrustBundle": map[string]any{"kind": "ConfigMap", "name": "user-ca-bundle"},
	}}
	for name, value := range more {
		fields[name] = value
	}
	content, err := json.Marshal(fields)
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(w.config, content, 0o600))
}

// withLoadBalancers is the configuration of a VPC.
func withLoadBalancers() map[string]any {
	named := func(name string) map[string]any { return map[string]any{"type": "name", "name": name} }
	return map[string]any{"clusterName": "my-cluster", "loadBalancer": map[string]any{
		"type": "nlb", "nlb": map[string]any{"vpc": named("blue"), "subnet": named("blue-vips")},
	}}
}

// serviceAccountKubeconfig writes a kubeconfig with a token as a pod gets one.
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

// vm makes a virtual machine that runs, in the VPC.
func (w *world) vm(name string) prismsim.VM {
	w.t.Helper()
	vms, err := w.prism.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: name, PrismElement: "pe", Subnets: []string{"blue-nodes"}})
	require.NoError(w.t, err)
	return vms[0]
}

// register makes a Node as a kubelet with --cloud-provider=external does.
func (w *world) register(vm prismsim.VM) {
	w.t.Helper()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: vm.Name},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: cloudproviderapi.TaintExternalCloudProvider, Value: "true", Effect: corev1.TaintEffectNoSchedule},
		}},
	}
	w.create(node)
	w.ready(vm.Name, corev1.ConditionTrue, vm.UUID)
}

// ready writes what a kubelet says of its node.
func (w *world) ready(name string, ready corev1.ConditionStatus, systemUUID string) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		node := &corev1.Node{}
		require.NoError(c, api.Get(w.t.Context(), client.ObjectKey{Name: name}, node))
		node.Status.NodeInfo.SystemUUID = systemUUID
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		node.Status.Images = []corev1.ContainerImage{{Names: []string{"pause"}}}
		require.NoError(c, api.Status().Update(w.t.Context(), node))
	}, deadline, tick)
}

// initialised waits until a Node has its provider ID, lost its taint, and got its addresses, which follow a moment later.
func (w *world) initialised(vm prismsim.VM) *corev1.Node {
	w.t.Helper()
	node := &corev1.Node{}
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(w.t.Context(), client.ObjectKey{Name: vm.Name}, node))
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

// told waits for an Event about the pod that has the part in its message.
func (w *world) told(reason, part string) {
	w.t.Helper()
	message := ""
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		events := &corev1.EventList{}
		require.NoError(c, api.List(w.t.Context(), events, client.InNamespace("kube-system")))
		for _, event := range events.Items {
			if event.Reason == reason && event.InvolvedObject.Name == os.Getenv("POD_NAME") && strings.Contains(event.Message, part) {
				message = event.Message
			}
		}
		assert.NotEmpty(c, message, "no Event %s with %q", reason, part)
	}, deadline, tick)
	assert.NotContains(w.t, message, firstPassword)
}
