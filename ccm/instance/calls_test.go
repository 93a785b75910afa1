package instance

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/capnt/capnt/ccm/nutanix"
)

// fleet makes that many virtual machines, and their nodes as kubelets register them.
func fleet(b *bench, n int) []*corev1.Node {
	b.prism.vms = nil
	nodes := make([]*corev1.Node, 0, n)
	for k := range n {
		vm := worker()
		vm.UUID = fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", k)
		vm.BIOSUUID, vm.Name = vm.UUID, fmt.Sprintf("worker-%d", k)
		vm.NICs = []nutanix.NIC{{Primary: netip.AddrFrom4([4]byte{10, 0, byte(k / 250), byte(k%250 + 1)})}}
		b.prism.vms = append(b.prism.vms, vm)
		node := registered()
		node.Name, node.UID = vm.Name, types.UID(vm.Name)
		node.Status.NodeInfo.SystemUUID = vm.UUID
		nodes = append(nodes, node)
	}
	return nodes
}

func describeAll(t testing.TB, b *bench, nodes []*corev1.Node) {
	var wait sync.WaitGroup
	work := make(chan *corev1.Node)
	for range 10 {
		wait.Go(func() {
			for node := range work {
				_, err := b.InstanceMetadata(context.Background(), node)
				assert.NoError(t, err)
			}
		})
	}
	for _, node := range nodes {
		work <- node
	}
	close(work)
	wait.Wait()
}

// TestCallsDoNotGrowWithNodes states what nodes cost: four lists for all of them at first (categories, virtual machines, Prism
// Elements, hosts), then one list of virtual machines in each period.
func TestCallsDoNotGrowWithNodes(t *testing.T) {
	for _, n := range []int{1, 200} {
		t.Run(fmt.Sprintf("%d nodes", n), func(t *testing.T) {
			b := newBench(t)
			nodes := fleet(b, n)
			describeAll(t, b, nodes)
			assert.Equal(t, map[string]int{"ListCategories": 1, "ListVMs": 1, "ListPrismElements": 1, "ListHosts": 1}, b.prism.calls)

			clear(b.prism.calls)
			for range 3 {
				b.clock.Step(5 * time.Minute)
				describeAll(t, b, nodes)
			}
			assert.Equal(t, map[string]int{"ListVMs": 3}, b.prism.calls)
		})
	}
}

// TestWithoutAClusterNameEachNodeCostsOneCall: there is no list of the cluster's virtual machines.
func TestWithoutAClusterNameEachNodeCostsOneCall(t *testing.T) {
	b := newBench(t)
	b.settings.ClusterName = ""
	nodes := fleet(b, 20)
	describeAll(t, b, nodes)
	describeAll(t, b, nodes)
	assert.Equal(t, map[string]int{"VM": 20, "ListPrismElements": 1, "ListHosts": 1}, b.prism.calls)
}
