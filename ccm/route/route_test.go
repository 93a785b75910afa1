package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

const (
	vpcUUID    = "0d0d0d0d-0000-4000-8000-000000000001"
	tableUUID  = "0d0d0d0d-0000-4000-8000-000000000002"
	subnetUUID = "0d0d0d0d-0000-4000-8000-000000000003"
	vlanUUID   = "0d0d0d0d-0000-4000-8000-000000000004"
	ofCluster  = "0c0c0c0c-0000-4000-8000-000000000001"
	vm1        = "0a1b2c3d-0000-4000-8000-000000000001"
	vm2        = "0a1b2c3d-0000-4000-8000-000000000002"
	pods1      = "10.244.1.0/24"
)

// prism is a Prism Central in memory that fails on script.
type prism struct {
	nutanix.API
	mutex sync.Mutex
	vms   []nutanix.VM
	// young are too new for the shared list.
	young  []nutanix.VM
	routes []nutanix.Route
	made   int
	calls  map[string]int
	fail   map[string]error
}

func (p *prism) called(method string) error {
	p.calls[method]++
	return p.fail[method]
}

func (p *prism) locked(method string) (func(), error) {
	p.mutex.Lock()
	return p.mutex.Unlock, p.called(method)
}

func (p *prism) VM(_ context.Context, uuid string) (nutanix.VM, error) {
	unlock, err := p.locked("VM")
	defer unlock()
	if err != nil {
		return nutanix.VM{}, err
	}
	for _, vm := range p.vms {
		if vm.UUID == uuid {
			return vm, nil
		}
	}
	return nutanix.VM{}, &nutanix.Error{Operation: "VM", Kind: nutanix.NotFound, Status: 404, Code: "VMM-30100"}
}

func (p *prism) VMsOfCategory(_ context.Context, uuid string) ([]nutanix.VM, error) {
	unlock, err := p.locked("VMsOfCategory")
	defer unlock()
	return having(p.vms, uuid), err
}

func (p *prism) ListVMs(_ context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
	unlock, err := p.locked("ListVMs")
	defer unlock()
	return having(slices.Concat(p.vms, p.young), filter.CategoryUUID), err
}

func having(vms []nutanix.VM, category string) []nutanix.VM {
	return slices.DeleteFunc(slices.Clone(vms), func(vm nutanix.VM) bool { return !slices.Contains(vm.CategoryUUIDs, category) })
}

func (p *prism) ListVPCs(_ context.Context, name string) ([]nutanix.VPC, error) {
	unlock, err := p.locked("ListVPCs")
	defer unlock()
	return slices.DeleteFunc([]nutanix.VPC{{UUID: vpcUUID, Name: "vpc"}, {UUID: vm1, Name: "twice"}, {UUID: vm2, Name: "twice"}},
		func(v nutanix.VPC) bool { return v.Name != name }), err
}

func (p *prism) ListSubnets(context.Context, string) ([]nutanix.Subnet, error) {
	unlock, err := p.locked("ListSubnets")
	defer unlock()
	return []nutanix.Subnet{{UUID: subnetUUID, VPCUUID: vpcUUID}, {UUID: vlanUUID}}, err
}

func (p *prism) ListCategories(context.Context, string) ([]nutanix.Category, error) {
	unlock, err := p.locked("ListCategories")
	defer unlock()
	return []nutanix.Category{{UUID: ofCluster, Key: clusterCategory, Value: "blue"}}, err
}

func (p *prism) RouteTableOfVPC(_ context.Context, uuid string) (string, error) {
	unlock, err := p.locked("RouteTableOfVPC")
	defer unlock()
	if uuid != vpcUUID {
		return "", &nutanix.Error{Operation: "RouteTableOfVPC", Kind: nutanix.NotFound}
	}
	return tableUUID, err
}

func (p *prism) ListRoutes(context.Context, string) ([]nutanix.Route, error) {
	unlock, err := p.locked("ListRoutes")
	defer unlock()
	return slices.Clone(p.routes), err
}

func (p *prism) CreateRoute(_ context.Context, route nutanix.Route) (nutanix.Route, error) {
	unlock, err := p.locked("CreateRoute")
	defer unlock()
	if err != nil {
		return nutanix.Route{}, err
	}
	if len(to(p.routes, route.Destination)) > 0 {
		return nutanix.Route{}, &nutanix.Error{Operation: "CreateRoute", Kind: nutanix.Conflict, Message: "destination is taken"}
	}
	p.made++
	route.UUID = fmt.Sprintf("0f0f0f0f-0000-4000-8000-%012d", p.made)
	p.routes = append(p.routes, route)
	return route, nil
}

func (p *prism) UpdateRoute(_ context.Context, route nutanix.Route) error {
	unlock, err := p.locked("UpdateRoute")
	defer unlock()
	for at := range p.routes {
		if err == nil && p.routes[at].UUID == route.UUID {
			p.routes[at] = route
		}
	}
	return err
}

func (p *prism) DeleteRoute(_ context.Context, route nutanix.Route) error {
	unlock, err := p.locked("DeleteRoute")
	defer unlock()
	if err == nil {
		p.routes = slices.DeleteFunc(p.routes, func(r nutanix.Route) bool { return r.UUID == route.UUID })
	}
	return err
}

type bench struct {
	*Routes
	prism    *prism
	settings config.Config
	events   *record.FakeRecorder
	clock    *clocktesting.FakeClock
}

func vm(uuid string, addresses ...string) nutanix.VM {
	nic := nutanix.NIC{SubnetUUID: subnetUUID}
	for _, address := range addresses {
		nic.Learned = append(nic.Learned, netip.MustParseAddr(address))
	}
	return nutanix.VM{UUID: uuid, CategoryUUIDs: []string{ofCluster}, NICs: []nutanix.NIC{
		{SubnetUUID: vlanUUID, Primary: netip.MustParseAddr("192.168.0.9")}, nic,
	}}
}

func newBench() *bench {
	b := &bench{
		prism:    &prism{vms: []nutanix.VM{vm(vm1, "10.0.0.1"), vm(vm2, "10.0.0.2")}, calls: map[string]int{}, fail: map[string]error{}},
		settings: config.Config{ClusterName: "blue", Routes: config.Routes{Enabled: true, VPC: config.Identifier{Type: "name", Name: "vpc"}}},
		events:   record.NewFakeRecorder(100),
		clock:    clocktesting.NewFakeClock(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)),
	}
	b.Routes = newRoutes(Options{API: b.prism, Cache: b.prism, Config: func() config.Config { return b.settings }, ClusterID: "0a0b0c0d", Events: b.events}, b.clock)
	return b
}

func wanted(node, cidr string, addresses ...string) *cloudprovider.Route {
	route := &cloudprovider.Route{TargetNode: types.NodeName(node), DestinationCIDR: cidr}
	for _, address := range addresses {
		route.TargetNodeAddresses = append(route.TargetNodeAddresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
	return route
}

func ours(node, vm, cidr, hop string) nutanix.Route {
	destination := netip.MustParsePrefix(cidr)
	return nutanix.Route{UUID: "0f0f0f0f-0000-4000-8000-0000000000aa", Name: nameOf("blue-0a0b0c0d", destination), RouteTableUUID: tableUUID, IsStatic: true,
		Destination: destination, NextHop: netip.MustParseAddr(hop), Description: holder{node, vm}.describe(), ETag: "1"}
}

func foreign(cidr string) nutanix.Route {
	route := ours("n", vm1, cidr, "10.0.0.1")
	route.UUID, route.Name = "0f0f0f0f-0000-4000-8000-0000000000bb", "by hand"
	return route
}

func (b *bench) list(t *testing.T) []*cloudprovider.Route {
	t.Helper()
	routes, err := b.ListRoutes(context.Background(), "kubernetes")
	require.NoError(t, err)
	return routes
}

func (b *bench) event() string {
	select {
	case text := <-b.events.Events:
		return text
	default:
		return ""
	}
}

func TestARouteIsMadeListedAndDeleted(t *testing.T) {
	b, ctx := newBench(), context.Background()
	assert.Empty(t, b.list(t))
	require.NoError(t, b.CreateRoute(ctx, "kubernetes", "uid", wanted("worker-1", pods1, "192.168.0.9", "10.0.0.1")))
	require.Len(t, b.prism.routes, 1)
	made := b.prism.routes[0]
	assert.Equal(t, "blue-0a0b0c0d-pods-10.244.1.0-24", made.Name)
	assert.Equal(t, "10.0.0.1", made.NextHop.String(), "the address in the VPC")
	assert.Equal(t, "Pods of node worker-1 on virtual machine "+vm1, made.Description)

	listed := b.list(t)
	require.Len(t, listed, 1)
	assert.Equal(t, types.NodeName("worker-1"), listed[0].TargetNode)
	assert.Equal(t, pods1, listed[0].DestinationCIDR)
	assert.False(t, listed[0].Blackhole)
	require.NoError(t, b.CreateRoute(ctx, "kubernetes", "uid", wanted("worker-1", pods1, "10.0.0.1")), "again")
	assert.Len(t, b.prism.routes, 1)

	require.NoError(t, b.DeleteRoute(ctx, "kubernetes", listed[0]))
	assert.Empty(t, b.prism.routes)
	require.NoError(t, b.DeleteRoute(ctx, "kubernetes", listed[0]), "again")
	assert.Equal(t, 1, b.prism.calls["DeleteRoute"])
}

// TestAMachineYoungerThanTheSharedListIsLookedFor: nothing is wrong with its node, so nothing may be said of it.
func TestAMachineYoungerThanTheSharedListIsLookedFor(t *testing.T) {
	b := newBench()
	b.prism.young = []nutanix.VM{vm("0a1b2c3d-0000-4000-8000-000000000003", "10.0.0.3")}
	require.NoError(t, b.CreateRoute(context.Background(), "", "uid", wanted("worker-3", "10.244.3.0/24", "10.0.0.3")))
	require.Len(t, b.prism.routes, 1)
	assert.Equal(t, "10.0.0.3", b.prism.routes[0].NextHop.String())
	assert.Empty(t, b.event())
	assert.Equal(t, 1, b.prism.calls["ListVMs"])
}

func TestRoutesOfOthersAreNeitherListedNorDeleted(t *testing.T) {
	b := newBench()
	automatic := ours("n", vm1, "10.9.0.0/24", "10.0.0.1")
	automatic.IsStatic = false
	elsewhere := ours("n", vm1, "10.8.0.0/24", "10.0.0.1")
	elsewhere.NextHop = netip.Addr{}
	namesake := ours("n", vm1, "10.7.0.0/24", "10.0.0.1")
	namesake.Name = "blue-green-pods-10.7.0.0-24"
	twin := ours("n", vm1, "10.6.0.0/24", "10.0.0.1")
	twin.Name = "blue-ffffffff-pods-10.6.0.0-24"
	b.prism.routes = []nutanix.Route{foreign(pods1), automatic, elsewhere, namesake, twin}
	assert.Empty(t, b.list(t))
	for _, route := range b.prism.routes {
		require.NoError(t, b.DeleteRoute(context.Background(), "", &cloudprovider.Route{Name: state(route), DestinationCIDR: route.Destination.String()}))
	}
	assert.Len(t, b.prism.routes, 5)
}

func TestABlackholeIsARouteThatLeadsNowhereForCertain(t *testing.T) {
	for name, tc := range map[string]struct {
		given     func(*bench)
		blackhole bool
		fails     bool
	}{
		"it leads to its virtual machine":  {given: func(*bench) {}},
		"the virtual machine is gone":      {given: func(b *bench) { b.prism.vms = b.prism.vms[1:] }, blackhole: true},
		"it has another address":           {given: func(b *bench) { b.prism.vms[0] = vm(vm1, "10.0.0.7") }, blackhole: true},
		"another has its address":          {given: func(b *bench) { b.prism.vms = []nutanix.VM{vm(vm2, "10.0.0.1")} }, blackhole: true},
		"somebody rewrote the description": {given: func(b *bench) { b.prism.routes[0].Description = "mine" }, blackhole: true},
		"it lost its category":             {given: func(b *bench) { b.prism.vms[0].CategoryUUIDs = nil }},
		"it has no address just now":       {given: func(b *bench) { b.prism.vms[0] = vm(vm1) }},
		"a proxy says that it is gone": {given: func(b *bench) {
			b.prism.vms = nil
			b.prism.fail["VM"] = &nutanix.Error{Kind: nutanix.Unavailable, Status: 404}
		}, fails: true},
		"the virtual machines cannot be listed":     {given: func(b *bench) { b.prism.fail["VMsOfCategory"] = errors.New("away") }, fails: true},
		"the route table cannot be listed":          {given: func(b *bench) { b.prism.fail["ListRoutes"] = errors.New("away") }, fails: true},
		"the subnets cannot be listed":              {given: func(b *bench) { b.prism.fail["ListSubnets"] = errors.New("away") }, fails: true},
		"the VPC has two namesakes":                 {given: func(b *bench) { b.settings.Routes.VPC.Name = "twice" }, fails: true},
		"the cluster has no category":               {given: func(b *bench) { b.settings.ClusterName = "red" }, fails: true},
		"the configuration does not name a cluster": {given: func(b *bench) { b.settings.ClusterName = "" }, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.prism.routes = []nutanix.Route{ours("worker-1", vm1, pods1, "10.0.0.1")}
			tc.given(b)
			routes, err := b.ListRoutes(context.Background(), "")
			if tc.fails {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Len(t, routes, 1)
			assert.Equal(t, tc.blackhole, routes[0].Blackhole)
			assert.Equal(t, tc.blackhole, routes[0].TargetNode == "")
		})
	}
}

// TestAStaleRouteIsReplacedInWhateverOrder: the framework deletes the blackhole and creates the route side by side.
func TestAStaleRouteIsReplacedInWhateverOrder(t *testing.T) {
	for name, createFirst := range map[string]bool{"created first": true, "deleted first": false} {
		for hop, addresses := range map[string][]string{"another address": {"10.0.0.2"}, "the same address": {"10.0.0.1", "10.0.0.2"}} {
			t.Run(name+", "+hop, func(t *testing.T) {
				b, ctx := newBench(), context.Background()
				b.prism.routes = []nutanix.Route{ours("worker-1", vm1, pods1, "10.0.0.1")}
				b.prism.vms = []nutanix.VM{vm(vm2, addresses...)}
				listed := b.list(t)
				require.True(t, listed[0].Blackhole)
				create := func() { require.NoError(t, b.CreateRoute(ctx, "", "uid", wanted("worker-1", pods1, addresses[0]))) }
				if createFirst {
					create()
				}
				require.NoError(t, b.DeleteRoute(ctx, "", listed[0]))
				if !createFirst {
					create()
				}
				require.Len(t, b.prism.routes, 1)
				assert.Equal(t, addresses[0], b.prism.routes[0].NextHop.String())
				assert.Equal(t, vm2, readHolder(b.prism.routes[0].Description).vmUUID)
				assert.False(t, b.list(t)[0].Blackhole)
			})
		}
	}
}

func TestAForeignRouteInTheWayIsAConflictThatIsTold(t *testing.T) {
	for name, listedBefore := range map[string]bool{"seen before": true, "made meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			if !listedBefore {
				b.list(t)
			}
			b.prism.routes = []nutanix.Route{foreign(pods1)}
			err := b.CreateRoute(context.Background(), "", "uid", wanted("worker-1", pods1, "10.0.0.1"))
			require.Error(t, err)
			assert.True(t, apierrors.IsConflict(err), "%v", err)
			event := b.event()
			assert.Contains(t, event, "Warning "+ReasonConflict)
			assert.Contains(t, event, "by hand")
			assert.Equal(t, []nutanix.Route{foreign(pods1)}, b.prism.routes)
		})
	}
}

func TestAChangeBySomebodyElseIsTriedAgain(t *testing.T) {
	b := newBench()
	b.prism.routes = []nutanix.Route{ours("worker-1", vm1, pods1, "10.0.0.9")}
	b.prism.fail["UpdateRoute"] = &nutanix.Error{Operation: "UpdateRoute", Kind: nutanix.Stale, Status: 412}
	err := b.CreateRoute(context.Background(), "", "uid", wanted("worker-1", pods1, "10.0.0.1"))
	assert.True(t, apierrors.IsConflict(err), "%v", err)
	assert.Empty(t, b.event())
}

func TestWhatCannotBeRoutedIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		route  *cloudprovider.Route
		reason string
	}{
		"IPv6":                  {wanted("worker-1", "fd00:1::/64", "10.0.0.1"), ReasonIPv6},
		"no address in the VPC": {wanted("worker-1", pods1, "192.168.0.9"), ReasonNotInVPC},
		"an address of nobody":  {wanted("worker-1", pods1, "10.0.0.77"), ReasonNotInVPC},
		"no address at all":     {wanted("worker-1", pods1), ReasonNotInVPC},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			require.Error(t, b.CreateRoute(context.Background(), "", "uid", tc.route))
			assert.Contains(t, b.event(), "Warning "+tc.reason)
			assert.Empty(t, b.prism.routes)
		})
	}
}

func TestADeletionThatFailsIsAnError(t *testing.T) {
	b := newBench()
	b.prism.routes = []nutanix.Route{ours("worker-1", vm1, pods1, "10.0.0.1")}
	listed := b.list(t)
	b.prism.fail["DeleteRoute"] = &nutanix.Error{Operation: "DeleteRoute", Kind: nutanix.Unavailable}
	require.Error(t, b.DeleteRoute(context.Background(), "", listed[0]))
	b.prism.fail["DeleteRoute"] = &nutanix.Error{Operation: "DeleteRoute", Kind: nutanix.NotFound}
	require.NoError(t, b.DeleteRoute(context.Background(), "", listed[0]))
}

// TestCallsForManyRoutes states the cost: making routes of n nodes costs n creations and nothing more; then two lists each time.
func TestCallsForManyRoutes(t *testing.T) {
	const n = 50
	b := newBench()
	b.prism.vms = nil
	for k := range n {
		b.prism.vms = append(b.prism.vms, vm(fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", k), fmt.Sprintf("10.0.1.%d", k+1)))
	}
	b.list(t)
	var wait sync.WaitGroup
	for k := range n {
		wait.Go(func() {
			err := b.CreateRoute(context.Background(), "", "uid", wanted(fmt.Sprintf("worker-%d", k), fmt.Sprintf("10.244.%d.0/24", k), fmt.Sprintf("10.0.1.%d", k+1)))
			assert.NoError(t, err)
		})
	}
	wait.Wait()
	assert.Len(t, b.prism.routes, n)
	assert.Equal(t, map[string]int{"ListVPCs": 1, "RouteTableOfVPC": 1, "ListSubnets": 1, "ListCategories": 1, "ListRoutes": 1,
		"VMsOfCategory": n + 1, "CreateRoute": n}, b.prism.calls, "virtual machines come from the shared list")
	clear(b.prism.calls)
	assert.Len(t, b.list(t), n)
	assert.Equal(t, map[string]int{"ListRoutes": 1, "VMsOfCategory": 1}, b.prism.calls)
}
