package ccm

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/controller-manager/pkg/clientbuilder"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// builder gives one fake client to all.
type builder struct {
	clientbuilder.ControllerClientBuilder
	client kubernetes.Interface
}

func (b builder) Config(string) (*rest.Config, error)         { return nil, nil }
func (b builder) ConfigOrDie(string) *rest.Config             { return nil }
func (b builder) Client(string) (kubernetes.Interface, error) { return b.client, nil }
func (b builder) ClientOrDie(string) kubernetes.Interface     { return b.client }

const prism = `"prismCentral": {"address": "127.0.0.1", "port": 1, "credentialRef": {"name": "creds", "namespace": "default"}}`

func TestWhatIsOfferedFollowsTheConfiguration(t *testing.T) {
	const ipam = `"ipam": {"subnet": {"type": "name", "name": "vlan"}}`
	for name, tc := range map[string]struct {
		config           string
		balancer, routes bool
	}{
		"the vendor's":              {`{` + prism + `}`, false, false},
		"a section, thus its class": {`{` + prism + `, "clusterName": "c", "loadBalancer": {` + ipam + `}}`, true, false},
		"a section, but no class":   {`{` + prism + `, "loadBalancer": {"classes": {}, ` + ipam + `}}`, false, false},
		"a type":                    {`{` + prism + `, "clusterName": "c", "loadBalancer": {"type": "ipam", "classes": {}, ` + ipam + `}}`, true, false},
		"routes":                    {`{` + prism + `, "clusterName": "c", "routes": {"enabled": true, "vpc": {"type": "name", "name": "v"}}}`, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := config.Parse([]byte(tc.config))
			require.NoError(t, err)
			client := fake.NewClientset()
			cloud := New(config.Fixed(parsed), Self{})
			cloud.Initialize(builder{client: client}, t.Context().Done())
			cloud.SetInformers(informers.NewSharedInformerFactory(client, 0))

			balancer, offered := cloud.LoadBalancer()
			assert.Equal(t, tc.balancer, offered)
			assert.Equal(t, tc.balancer, balancer != nil)
			_, offered = cloud.InstancesV2()
			assert.True(t, offered)
			for what, offered := range map[string]bool{
				"Instances": second(cloud.Instances()), "Zones": second(cloud.Zones()),
				"Clusters": second(cloud.Clusters()),
			} {
				assert.False(t, offered, what)
			}
			assert.Equal(t, tc.routes, second(cloud.Routes()))
			assert.True(t, cloud.HasClusterID())
			assert.Equal(t, "nutanix", cloud.ProviderName())
		})
	}
}

func TestWhoeverWaitedForItsTurnStartsWithTheConfigurationOfNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(path, []byte(`{`+prism+`}`), 0o600))
	store, err := config.Open(path)
	require.NoError(t, err)
	cloud := New(store, Self{})
	changed := `{` + prism + `, "clusterName": "c", "loadBalancer": {"ipam": {"subnet": {"type": "name", "name": "vlan"}}}}`
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
	cloud.Initialize(builder{client: fake.NewClientset()}, t.Context().Done())
	assert.True(t, second(cloud.LoadBalancer()))
}

// TestNodesAreInitialisedWhateverIsWrongWithLoadBalancers: what nodes must not have is known all the same.
func TestNodesAreInitialisedWhateverIsWrongWithLoadBalancers(t *testing.T) {
	const ipam, nlb = `"ipam": {"subnet": {"type": "name", "name": "vlan"}}`, `"nlb": {"vpc": {"type": "name", "name": "v"}, "subnet": {"type": "name", "name": "s"}}`
	announced := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	announced.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.0.0.7"}, {Hostname: "example.com"}}
	for name, sections := range map[string]string{"none": "", "ipam": ipam, "nlb": nlb, "both": ipam + "," + nlb} {
		t.Run(name, func(t *testing.T) {
			parsed, err := config.Parse([]byte(`{` + prism + `, "clusterName": "c", "loadBalancer": {` + sections + `}}`))
			require.NoError(t, err)
			client := fake.NewClientset(announced)
			cloud := New(config.Fixed(parsed), Self{})
			cloud.stop = t.Context().Done()
			cloud.wire(client, record.NewFakeRecorder(10), empty{})
			factory := informers.NewSharedInformerFactory(client, 0)
			cloud.SetInformers(factory)
			factory.Start(t.Context().Done())

			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}}
			node.Status.NodeInfo.SystemUUID = workerUUID
			metadata, err := cloud.instances.InstanceMetadata(t.Context(), node)
			require.NoError(t, err)
			require.Len(t, metadata.NodeAddresses, 2)
			assert.Equal(t, "10.0.0.10", metadata.NodeAddresses[0].Address)
		})
	}
}

const workerUUID = "cccccccc-0000-4000-8000-000000000001"

// empty is a Prism Central with one virtual machine and no network.
type empty struct{ nutanix.API }

func (empty) worker() nutanix.VM {
	return nutanix.VM{UUID: workerUUID, Name: "worker-1", BIOSUUID: workerUUID, PrismElementUUID: "pe", NICs: []nutanix.NIC{{
		Primary: netip.MustParseAddr("10.0.0.10"), Learned: []netip.Addr{netip.MustParseAddr("10.0.0.7")},
	}}}
}

func (e empty) VM(context.Context, string) (nutanix.VM, error) { return e.worker(), nil }

func (e empty) ListVMs(context.Context, nutanix.VMFilter) ([]nutanix.VM, error) {
	return []nutanix.VM{e.worker()}, nil
}

func (empty) ListPrismElements(context.Context) ([]nutanix.PrismElement, error) {
	return []nutanix.PrismElement{{UUID: "pe", Name: "pe"}, {UUID: "pc", Name: "pc", IsPrismCentral: true}}, nil
}
func (empty) ListHosts(context.Context) ([]nutanix.Host, error)                  { return nil, nil }
func (empty) ListCategories(context.Context, string) ([]nutanix.Category, error) { return nil, nil }
func (empty) ListVPCs(context.Context, string) ([]nutanix.VPC, error)            { return nil, nil }
func (empty) ListSubnets(context.Context, string) ([]nutanix.Subnet, error)      { return nil, nil }

func second[T any](_ T, offered bool) bool { return offered }

func TestTheClusterIsIdentifiedByItsNamespace(t *testing.T) {
	parsed, err := config.Parse([]byte(`{` + prism + `, "clusterName": "c", "loadBalancer": {"ipam": {"subnet": {"type": "name", "name": "vlan"}}}}`))
	require.NoError(t, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "0a1b2c3d-0000-4000-8000-000000000001"}}
	client := fake.NewClientset(namespace)
	refusals := 1
	client.PrependReactor("get", "namespaces", func(k8stesting.Action) (bool, runtime.Object, error) {
		refusals--
		return refusals >= 0, nil, apierrors.NewInternalError(errors.New("etcd has no leader"))
	})
	var told ear
	assert.Equal(t, "0a1b2c3d", New(config.Fixed(parsed), Self{}).identify(t.Context(), client, &told))
	assert.Empty(t, told)
	assert.Empty(t, New(config.Fixed(parsed), Self{}).identify(t.Context(), fake.NewClientset(), &told))
	assert.Equal(t, ear{ReasonUnidentified}, told)
}

func TestTheNameOfTheClusterIsThatOfTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write := func(name string) {
		content := `{` + prism + `, "clusterName": "` + name + `", "loadBalancer": {"ipam": {"subnet": {"type": "name", "name": "vlan"}}}}`
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	write("before")
	store, err := config.Open(path)
	require.NoError(t, err)
	events := record.NewFakeRecorder(10)
	voice := &voice{events: events, about: Self{Namespace: "kube-system"}.reference()}
	store.OnChange(voice.configurationChanged, voice.configurationRefused)
	cloud := New(store, Self{})
	cloud.wire(fake.NewClientset(), events, empty{})
	write("after")
	store.Reload(t.Context())
	require.Equal(t, "after", store.Current().ClusterName)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: "uid"}}
	assert.Equal(t, "before-uid", cloud.balancer.GetLoadBalancerName(t.Context(), "", service))
	assert.Contains(t, <-events.Events, ReasonConfigurationChanged)
	assert.Contains(t, <-events.Events, "RestartNeeded clusterName changed")
}

func TestTheFrameworkOpensTheFile(t *testing.T) {
	Register()
	Register()
	path := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(path, []byte(`{`+prism+`}`), 0o600))
	cloud, err := cloudprovider.InitCloudProvider(ProviderName, path)
	require.NoError(t, err)
	assert.Implements(t, (*cloudprovider.InformerUser)(nil), cloud)

	require.NoError(t, os.WriteFile(path, []byte(`{}`), 0o600))
	_, err = cloudprovider.InitCloudProvider(ProviderName, path)
	require.ErrorContains(t, err, "prismCentral.address: Required value")

	_, err = cloudprovider.InitCloudProvider(ProviderName, "")
	require.ErrorContains(t, err, "--cloud-config must name a file")
	_, err = open(strings.NewReader("{}"))
	assert.ErrorContains(t, err, "--cloud-config must name a file")
}

func TestEventsAreAboutThePodElseItsNamespace(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "kube-system")
	t.Setenv("POD_NAME", "")
	self, err := selfFromEnvironment()
	require.NoError(t, err)
	assert.Equal(t, "Namespace kube-system/kube-system", describe(self))
	t.Setenv("POD_NAME", "one")
	t.Setenv("POD_UID", "1-2-3")
	self, err = selfFromEnvironment()
	require.NoError(t, err)
	assert.Equal(t, "Pod kube-system/one 1-2-3", describe(self))
	assert.Nil(t, Self{Pod: "one"}.reference())
}

func describe(self Self) string {
	about := self.reference()
	return strings.TrimSpace(about.Kind + " " + about.Namespace + "/" + about.Name + " " + string(about.UID))
}
