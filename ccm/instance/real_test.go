package instance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	cloudproviderapi "k8s.io/cloud-provider/api"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/instance"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

const inventory = `
prismCentral: {name: central, version: %s}
prismElements:
- name: pe-a
  hosts: [{name: host-a1}, {name: host-a2}]
- name: pe-b
  hosts: [{name: host-b1}]
vpcs:
- {name: vpc}
subnets:
- name: overlay
  type: OVERLAY
  vpc: vpc
  cidr: 10.10.0.0/16
  ipam: true
  pools: ["10.10.0.10-10.10.9.250"]
categories:
- {key: KubernetesClusterName, values: [blue]}
`

// world is a simulated Prism Central with nodes, asked by the real client.
type world struct {
	*instance.Instances
	sim      *prismsim.Server
	settings config.Config
	client   *fake.Clientset
	nodes    []*corev1.Node
	vms      []prismsim.VM
	balanced []string
}

func newWorld(t testing.TB, version string, n int) *world {
	t.Helper()
	sim, api := prismtest.Start(t, fmt.Sprintf(inventory, version), prismsim.Options{Log: logr.Discard()}, nutanix.Limits{})
	w := &world{sim: sim, settings: config.Config{ClusterName: "blue", EnableCustomLabeling: true}}
	w.settings.Default()
	w.settings.Client.CacheTTL = metav1.Duration{Duration: time.Nanosecond} // nothing is reused from one round to the next
	var err error
	w.vms, err = sim.AddVMs(prismsim.Fleet{Count: n, NamePrefix: "worker", PrismElement: "pe-a", Subnets: []string{"overlay"},
		Categories: map[string]string{"KubernetesClusterName": "blue"}})
	require.NoError(t, err)
	var objects []runtime.Object
	for _, vm := range w.vms {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: vm.Name, UID: types.UID(vm.Name)}}
		node.Status.NodeInfo.SystemUUID = strings.ToUpper(vm.UUID)
		node.Spec.Taints = []corev1.Taint{{Key: cloudproviderapi.TaintExternalCloudProvider, Effect: corev1.TaintEffectNoSchedule}}
		w.nodes = append(w.nodes, node)
		objects = append(objects, node)
	}
	w.client = fake.NewClientset(objects...)
	w.Instances = w.instances(api)
	return w
}

func (w *world) instances(api nutanix.API) *instance.Instances {
	return instance.New(instance.Options{
		API: api, Cache: nutanix.NewCache(api, func() time.Duration { return w.settings.Client.CacheTTL.Duration }),
		Config: func() config.Config { return w.settings }, Client: w.client, Events: record.NewFakeRecorder(1000),
		LoadBalancerAddresses: func(context.Context) ([]string, error) { return w.balanced, nil },
	})
}

// asked gives what was asked since a moment: requests by method and what the path ends in.
func (w *world) asked(since int) map[string]int {
	asked := map[string]int{}
	for _, request := range w.sim.Requests()[since:] {
		if request.Method != "OPTIONS" { // which versions there are, once for each API
			asked[request.Method+" "+request.Path[strings.LastIndex(request.Path, "/")+1:]]++
		}
	}
	return asked
}

// initialized makes the Node what the framework makes of it.
func (w *world) initialized(t testing.TB, at int) *corev1.Node {
	t.Helper()
	metadata, err := w.InstanceMetadata(context.Background(), w.nodes[at])
	require.NoError(t, err)
	node := w.nodes[at].DeepCopy()
	node.Spec.Taints, node.Spec.ProviderID, node.Status.Addresses = nil, metadata.ProviderID, metadata.NodeAddresses
	node.Labels = map[string]string{}
	for key, value := range metadata.AdditionalLabels {
		node.Labels[key] = value
	}
	node.Labels[corev1.LabelTopologyZone], node.Labels[corev1.LabelFailureDomainBetaZone] = metadata.Zone, metadata.Zone
	node.Labels[corev1.LabelTopologyRegion], node.Labels[corev1.LabelFailureDomainBetaRegion] = metadata.Region, metadata.Region
	return node
}

// Both a release that filters virtual machines by category and BIOS UUID, and one that does not.
func inBothReleases(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"pc.7.6.0.1", "pc.2024.3.0.1"} {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

func TestMetadataFromPrismCentral(t *testing.T) {
	inBothReleases(t, func(t *testing.T, version string) {
		w := newWorld(t, version, 3)
		vm := w.vms[1]
		require.NoError(t, w.sim.LearnAddress(vm.UUID, "", "10.10.20.1"))
		require.NoError(t, w.sim.LearnAddress(vm.UUID, "", "10.10.20.2"))
		require.NoError(t, w.sim.LearnAddress(vm.UUID, "", "10.10.20.3"))
		w.settings.ControlPlaneEndpoint, w.balanced = "10.10.20.1", []string{"10.10.20.2"}
		w.settings.InstanceType = config.InstanceTypeSize
		metadata, err := w.InstanceMetadata(context.Background(), w.nodes[1])
		require.NoError(t, err)
		assert.Equal(t, "nutanix://"+vm.UUID, metadata.ProviderID)
		assert.Equal(t, []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: vm.NICs[0].IPs[0]}, {Type: corev1.NodeInternalIP, Address: "10.10.20.3"},
			{Type: corev1.NodeHostName, Address: "worker-1"},
		}, metadata.NodeAddresses)
		assert.Equal(t, "ahv-1c-1g", metadata.InstanceType)
		assert.Equal(t, "pe-a", metadata.Zone)
		assert.Equal(t, "central", metadata.Region)
		assert.Equal(t, "pe-a", metadata.AdditionalLabels[instance.LabelPrismElementName])
		assert.Equal(t, vm.Host, metadata.AdditionalLabels[instance.LabelHostName])
	})
}

func TestALiveMigrationInPrismCentralReachesTheNode(t *testing.T) {
	w := newWorld(t, "pc.7.6.0.1", 1)
	node := w.initialized(t, 0)
	require.NoError(t, w.sim.MigrateVM(w.vms[0].UUID, "host-b1"))
	_, err := w.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	patched, err := w.client.CoreV1().Nodes().Get(context.Background(), node.Name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "pe-b", patched.Labels[corev1.LabelTopologyZone])
	assert.Equal(t, "host-b1", patched.Labels[instance.LabelHostName])
}

func TestExistenceInPrismCentral(t *testing.T) {
	vms := `^/api/vmm/.*/vms`
	for name, tc := range map[string]struct {
		given   func(t *testing.T, w *world)
		want    bool
		isError bool
	}{
		"it is there": {given: func(*testing.T, *world) {}, want: true},
		"deleted":     {given: func(t *testing.T, w *world) { require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID)) }},
		"deleted, and the configuration names no cluster": {given: func(t *testing.T, w *world) {
			require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID))
			w.settings.ClusterName = ""
		}},
		"failed over to another site": {given: func(t *testing.T, w *world) {
			_, err := w.sim.ChangeExtID(w.vms[0].UUID, "")
			require.NoError(t, err)
		}, want: true},
		"failed over to another site, and the configuration names no cluster": {given: func(t *testing.T, w *world) {
			_, err := w.sim.ChangeExtID(w.vms[0].UUID, "")
			require.NoError(t, err)
			w.settings.ClusterName = ""
		}, want: true},
		"off": {given: func(t *testing.T, w *world) { require.NoError(t, w.sim.PowerOff(w.vms[0].UUID)) }, want: true},
		"deleted, and a proxy answers everything with 404": {given: func(t *testing.T, w *world) {
			require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID))
			fault(t, w, prismsim.Fault{Path: "^/api", Status: 404, Body: "<html>not found</html>", ContentType: "text/html"})
		}, isError: true},
		"a proxy answers 404 for virtual machines": {given: func(t *testing.T, w *world) {
			w.settings.ClusterName = ""
			fault(t, w, prismsim.Fault{Path: vms, Status: 404, Body: "<html>not found</html>", ContentType: "text/html"})
		}, isError: true},
		"a JSON 404 that is not Prism Central's": {given: func(t *testing.T, w *world) {
			w.settings.ClusterName = ""
			fault(t, w, prismsim.Fault{Path: vms, Status: 404, Body: `{"message":"no Route matched with those values"}`})
		}, isError: true},
		"deleted, and lists are half": {given: func(t *testing.T, w *world) {
			require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID))
			fault(t, w, prismsim.Fault{Path: vms + "$", Half: true})
		}, isError: true},
		"deleted, and answers are cut": {given: func(t *testing.T, w *world) {
			require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID))
			fault(t, w, prismsim.Fault{Path: vms, Cut: true})
		}, isError: true},
		"deleted, and Prism Central is out of order": {given: func(t *testing.T, w *world) {
			require.NoError(t, w.sim.DeleteVM(w.vms[0].UUID))
			fault(t, w, prismsim.Fault{Path: vms, Status: 500})
		}, isError: true},
		"the password was changed": {given: func(_ *testing.T, w *world) { w.sim.SetPassword("another") }, isError: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBothReleases(t, func(t *testing.T, version string) {
				w := newWorld(t, version, 3)
				node := w.initialized(t, 0)
				tc.given(t, w)
				ctx := context.Background()
				if tc.isError {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 2*time.Second) // passing faults are repeated by the client
					defer cancel()
				}
				got, err := w.InstanceExists(ctx, node)
				assert.Equal(t, tc.isError, err != nil, "%v", err)
				assert.Equal(t, tc.want, got)
				if err != nil {
					assert.NotContains(t, err.Error(), prismtest.Password)
				}
			})
		})
	}
}

func fault(t *testing.T, w *world, fault prismsim.Fault) {
	t.Helper()
	_, err := w.sim.Faults().Set(fault)
	require.NoError(t, err)
}

func TestShutDownInPrismCentral(t *testing.T) {
	w := newWorld(t, "pc.7.6.0.1", 1)
	for state, want := range map[string]bool{"ON": false, "OFF": true, "PAUSED": false, "UNDETERMINED": false, "": false} {
		require.NoError(t, w.sim.ShowPowerState(w.vms[0].UUID, state))
		got, err := w.InstanceShutdown(context.Background(), w.nodes[0])
		require.NoError(t, err)
		assert.Equal(t, want, got, state)
	}
}

// TestRequestsForManyNodes states what nodes cost in requests: at first one page of each list, then in each period one page of
// virtual machines for every hundred of them.
func TestRequestsForManyNodes(t *testing.T) {
	w := newWorld(t, "pc.7.6.0.1", 200)
	w.settings.Client.CacheTTL = metav1.Duration{Duration: time.Hour}
	all := func() {
		for _, node := range w.nodes {
			_, err := w.InstanceMetadata(context.Background(), node)
			require.NoError(t, err)
		}
	}
	all()
	assert.Equal(t, map[string]int{"GET categories": 1, "GET vms": 2, "GET clusters": 1, "GET hosts": 1}, w.asked(0))

	before := len(w.sim.Requests())
	w.settings.Client.CacheTTL = metav1.Duration{}
	_, err := w.InstanceMetadata(context.Background(), w.nodes[0])
	require.NoError(t, err)
	w.settings.Client.CacheTTL = metav1.Duration{Duration: time.Hour}
	all()
	assert.Equal(t, map[string]int{"GET vms": 2}, w.asked(before), "the next period")
}

func BenchmarkInstanceMetadata(b *testing.B) {
	for _, n := range []int{200, 500} {
		b.Run(fmt.Sprintf("%d nodes", n), func(b *testing.B) {
			w := newWorld(b, "pc.7.6.0.1", n)
			before, rounds := len(w.sim.Requests()), 0
			for b.Loop() {
				w.settings.Client.CacheTTL = metav1.Duration{} // a new period
				for _, node := range w.nodes {
					if _, err := w.InstanceMetadata(context.Background(), node); err != nil {
						b.Fatal(err)
					}
					w.settings.Client.CacheTTL = metav1.Duration{Duration: time.Hour}
				}
				rounds++
			}
			calls := 0
			for _, count := range w.asked(before) {
				calls += count
			}
			b.ReportMetric(float64(calls)/float64(rounds), "prism_calls")
		})
	}
}
