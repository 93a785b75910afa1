package instance

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	cloudproviderapi "k8s.io/cloud-provider/api"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

const (
	vmUUID      = "0a1b2c3d-0000-4000-8000-000000000001"
	formerUUID  = "0a1b2c3d-0000-4000-8000-000000000002"
	thirdUUID   = "0a1b2c3d-0000-4000-8000-000000000003"
	elementUUID = "0e1e0e1e-0000-4000-8000-000000000001"
	otherPE     = "0e1e0e1e-0000-4000-8000-000000000002"
	hostUUID    = "0b0b0b0b-0000-4000-8000-000000000001"
	otherHost   = "0b0b0b0b-0000-4000-8000-000000000002"
	ofCluster   = "0c0c0c0c-0000-4000-8000-000000000001"
)

// prism is a Prism Central in memory that counts calls and fails on script.
type prism struct {
	nutanix.API
	mutex      sync.Mutex
	vms        []nutanix.VM
	elements   []nutanix.PrismElement
	hosts      []nutanix.Host
	categories []nutanix.Category
	calls      map[string]int
	// script says what the n-th call (from 1) of a method fails with; nil: it succeeds.
	script map[string]func(n int) error
}

func (p *prism) called(method string) error {
	p.calls[method]++
	if script := p.script[method]; script != nil {
		return script(p.calls[method])
	}
	return nil
}

func (p *prism) total() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	sum := 0
	for _, n := range p.calls {
		sum += n
	}
	return sum
}

func (p *prism) VM(_ context.Context, uuid string) (nutanix.VM, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.called("VM"); err != nil {
		return nutanix.VM{}, err
	}
	for _, vm := range p.vms {
		if vm.UUID == uuid {
			return vm, nil
		}
	}
	return nutanix.VM{}, gone("VM")
}

func (p *prism) ListVMs(_ context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.called("ListVMs"); err != nil {
		return nil, err
	}
	var found []nutanix.VM
	for _, vm := range p.vms {
		if (filter.Name == "" || filter.Name == vm.Name) && (filter.BIOSUUID == "" || filter.BIOSUUID == vm.BIOSUUID) &&
			(filter.CategoryUUID == "" || slices.Contains(vm.CategoryUUIDs, filter.CategoryUUID)) {
			found = append(found, vm)
		}
	}
	return found, nil
}

func (p *prism) ListPrismElements(context.Context) ([]nutanix.PrismElement, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.elements), p.called("ListPrismElements")
}

func (p *prism) ListHosts(context.Context) ([]nutanix.Host, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.hosts), p.called("ListHosts")
}

func (p *prism) ListCategories(_ context.Context, key string) ([]nutanix.Category, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var found []nutanix.Category
	for _, category := range p.categories {
		if key == "" || key == category.Key {
			found = append(found, category)
		}
	}
	return found, p.called("ListCategories")
}

func (p *prism) change(do func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	do()
}

// gone is what Prism Central itself says of what it does not have.
func gone(operation string) error {
	return &nutanix.Error{Operation: operation, Kind: nutanix.NotFound, Status: http.StatusNotFound, Code: "VMM-30100", Group: "VM_NOT_FOUND"}
}

// proxied404 is how the client understands a 404 that is not Prism Central's own.
func proxied404(operation string) error {
	return &nutanix.Error{Operation: operation, Kind: nutanix.Unavailable, Status: http.StatusNotFound}
}

func always(err error) func(int) error { return func(int) error { return err } }

func from(n int, err error) func(int) error {
	return func(call int) error {
		if call >= n {
			return err
		}
		return nil
	}
}

// bench is everything around an Instances under test.
type bench struct {
	*Instances
	prism    *prism
	settings config.Config
	clock    *clocktesting.FakeClock
	client   *fake.Clientset
	events   *record.FakeRecorder
	balanced func(context.Context) ([]string, error)
}

// newBench has one virtual machine, "worker-1", of the Kubernetes cluster "blue", on Prism Element "pe-a" of "central".
func newBench(t testing.TB, nodes ...*corev1.Node) *bench {
	t.Helper()
	b := &bench{
		prism: &prism{
			vms: []nutanix.VM{worker()},
			elements: []nutanix.PrismElement{
				{UUID: elementUUID, Name: "pe-a"}, {UUID: otherPE, Name: "pe-b"},
				{UUID: "0e1e0e1e-0000-4000-8000-00000000000c", Name: "central", IsPrismCentral: true},
			},
			hosts:      []nutanix.Host{{UUID: hostUUID, Name: "host-1"}, {UUID: otherHost, Name: "host-2"}},
			categories: []nutanix.Category{{UUID: ofCluster, Key: clusterCategory, Value: "blue"}},
			calls:      map[string]int{}, script: map[string]func(int) error{},
		},
		settings: config.Config{ClusterName: "blue", EnableCustomLabeling: true},
		clock:    clocktesting.NewFakeClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)),
		events:   record.NewFakeRecorder(100),
	}
	b.settings.Default()
	objects := make([]runtime.Object, 0, len(nodes))
	for _, node := range nodes {
		objects = append(objects, node)
	}
	b.client = fake.NewClientset(objects...)
	b.Instances = newInstances(Options{
		API: b.prism, Cache: b.newCache(), Config: func() config.Config { return b.settings }, Client: b.client, Events: b.events,
		LoadBalancerAddresses: func(ctx context.Context) ([]string, error) {
			if b.balanced == nil {
				return nil, nil
			}
			return b.balanced(ctx)
		},
	}, b.clock)
	return b
}

func (b *bench) reasons() []string {
	var reasons []string
	for {
		select {
		case text := <-b.events.Events:
			reasons = append(reasons, text)
		default:
			return reasons
		}
	}
}

func worker() nutanix.VM {
	return nutanix.VM{
		UUID: vmUUID, Name: "worker-1", BIOSUUID: vmUUID, PowerState: nutanix.PowerOn,
		PrismElementUUID: elementUUID, HostUUID: hostUUID, CategoryUUIDs: []string{ofCluster},
		Sockets: 2, CoresPerSocket: 2, ThreadsPerCore: 1, MemoryBytes: 8 << 30,
		NICs: []nutanix.NIC{{Primary: netip.MustParseAddr("10.0.0.10")}},
	}
}

// registered is the Node of worker as a kubelet registers it.
func registered() *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: types.UID("node-uid")}}
	node.Status.NodeInfo.SystemUUID = vmUUID
	node.Spec.Taints = []corev1.Taint{{Key: cloudproviderapi.TaintExternalCloudProvider, Effect: corev1.TaintEffectNoSchedule}}
	return node
}

// ready is the Node of worker when it has been initialized.
func ready() *corev1.Node {
	node := registered()
	node.Spec.Taints, node.Spec.ProviderID = nil, "nutanix://"+vmUUID
	return node
}

func problemOf(t *testing.T, err error, reason string) Problem {
	t.Helper()
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, reason, problem.Reason, problem.Message)
	return *problem
}
