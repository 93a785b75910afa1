package ccm

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/internal/providerid"
)

const (
	uninitialized = "node.cloudprovider.kubernetes.io/uninitialized"
	shutdown      = "node.cloudprovider.kubernetes.io/shutdown"
)

// The test watches all versions of a Node. The first version without the uninitialized taint must also have the
// provider ID and the labels. The manager adds the addresses shortly afterwards.
func TestNodeIsInitialisedInOneStep(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	vm := f.CreateVM("worker-1")
	watcher, err := f.Kube.CoreV1().Nodes().Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=worker-1"})
	require.NoError(t, err)
	defer watcher.Stop()

	started := time.Now()
	f.Register("worker-1", vm.UUID)
	free := firstWithoutTaint(t, watcher)
	took := time.Since(started)

	assert.Equal(t, providerid.Format(vm.UUID), free.Spec.ProviderID)
	for label, value := range map[string]string{
		corev1.LabelInstanceTypeStable: "ahv-vm",
		corev1.LabelTopologyZone:       fixture.PrismElement,
		corev1.LabelTopologyRegion:     fixture.PrismCentral,
	} {
		assert.Equal(t, value, free.Labels[label], label)
	}
	node := f.WaitForInitialisedNode("worker-1")
	assert.Equal(t, vm.IPs(), fixture.Addresses(node, corev1.NodeInternalIP))
	t.Logf("the Node was initialised %s after registration and had its addresses after %s",
		took.Round(time.Millisecond), time.Since(started).Round(time.Millisecond))
}

// firstWithoutTaint returns the first version of the Node without the uninitialized taint.
func firstWithoutTaint(t *testing.T, watcher watch.Interface) *corev1.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			t.Fatal("the Node was never initialised")
		case event := <-watcher.ResultChan():
			node, ok := event.Object.(*corev1.Node)
			require.True(t, ok, "%v", event)
			if !fixture.HasTaint(node, uninitialized) {
				return node
			}
			require.Empty(t, node.Spec.ProviderID, "the provider ID must be set together with the removal of the taint")
		}
	}
}

// Two Nodes are not ready, and the VM of one of them was deleted. The manager deletes only the Node of the deleted VM.
func TestNodeIsRemovedOnlyWhenItsVMIsGone(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	gone, _ := f.Join("gone"), f.Join("there")
	require.NoError(t, f.Prism.DeleteVM(gone.UUID))
	f.RequireNodesStay(3, "gone", "there") // the manager checks only Nodes that are not ready

	f.SetReady("there", false)
	f.SetReady("gone", false)
	started := time.Now()
	f.WaitForNodeDeleted("gone")
	t.Logf("the Node was deleted %s after it became not ready", time.Since(started).Round(time.Millisecond))
	f.RequireNodesStay(3, "there")
}

// The Node of a VM that is switched off gets the shutdown taint. The taint is removed when the VM is switched on again.
func TestNodeOfPoweredOffVMGetsShutdownTaint(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	vm := f.Join("worker-1")
	f.SetReady("worker-1", false)
	f.Consistently(3, func() string {
		return missing(!fixture.HasTaint(f.Node("worker-1"), shutdown), "the Node has the shutdown taint although its VM is on")
	})

	require.NoError(t, f.Prism.PowerOff(vm.UUID))
	f.WaitForNode("worker-1", "to be marked as shut down", func(node *corev1.Node) string {
		return missing(fixture.HasTaint(node, shutdown), "it has no taint "+shutdown)
	})
	require.NoError(t, f.Prism.PowerOn(vm.UUID))
	f.SetReady("worker-1", true)
	f.WaitForNode("worker-1", "to be free again", func(node *corev1.Node) string {
		return missing(!fixture.HasTaint(node, shutdown), "it has the taint "+shutdown)
	})
}

// The host label changes when the VM migrates to another host of the Prism Element.
func TestLabelsFollowLiveMigration(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) { c.EnableCustomLabeling = true }})
	vm := f.Join("worker-1")
	const label = "nutanix.com/prism-host-uuid"
	before := f.Node("worker-1").Labels[label]
	require.NotEmpty(t, before)

	after := f.Migrate(vm)
	require.NotEqual(t, before, after)
	f.WaitForNode("worker-1", "to have the label of the new host", func(node *corev1.Node) string {
		return missing(node.Labels[label] == after, "the host label is "+node.Labels[label])
	})
}

// When a NIC is added to a VM, the address of the NIC is added to the Node's status.
func TestAddressesFollowTheVM(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	vm := f.Join("worker-1")
	changed := f.AddNIC(vm, fixture.VLANSubnet)
	require.Len(t, changed.IPs(), 2)
	f.WaitForNode("worker-1", "to have both addresses", func(node *corev1.Node) string {
		return difference(changed.IPs(), fixture.Addresses(node, corev1.NodeInternalIP))
	})
}

// On the NIC of a node, the hypervisor learns the virtual IPs that kube-vip announces for the control plane and for
// Services. These virtual IPs must not become node addresses. Other learned addresses must become node addresses.
func TestVirtualIPsAreNotNodeAddresses(t *testing.T) {
	t.Parallel()
	const endpoint, own = "10.20.0.5", "10.20.0.77"
	f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) {
		c.ControlPlaneEndpoint = endpoint
		c.LoadBalancer.Type = config.LoadBalancerIPAM
	}})
	vm := f.CreateVM("worker-1", fixture.VLANSubnet)
	f.CreateService("web")
	var virtual string
	f.WaitFor("the Service to have a reservation", func() string {
		reservations := f.Reservations()
		if len(reservations) == 0 {
			return "none found"
		}
		virtual = reservations[0].Address
		return ""
	})
	f.AddLearnedIPs(vm, endpoint, virtual, own)
	f.Register("worker-1", vm.UUID)
	node := f.WaitForInitialisedNode("worker-1")
	assert.ElementsMatch(t, append(vm.IPs(), own), fixture.Addresses(node, corev1.NodeInternalIP))
}

// After a metro failover, the VM has a new extId in Prism Central, but the guest keeps the old system UUID. The node
// controller and the load balancer controller must still find the VM.
func TestMetroFailoverKeepsTheNode(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.CreateVM("another") // the manager does not trust an empty list of VMs, so one VM must remain
	vm := f.Join("worker-1")
	fresh := f.FailOver(vm)
	require.NotEqual(t, vm.UUID, fresh)
	f.SetReady("worker-1", false)
	f.RequireNodesStay(10, "worker-1")
	f.CreateService("web")
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1")

	require.NoError(t, f.Prism.PowerOff(fresh))
	f.WaitForNode("worker-1", "to be known under its new identifier", func(node *corev1.Node) string {
		return missing(fixture.HasTaint(node, shutdown), "it has no taint "+shutdown)
	})
	require.NoError(t, f.Prism.DeleteVM(fresh))
	f.WaitForNodeDeleted("worker-1")
}

// missing returns text if holds is false, and an empty string otherwise.
func missing(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}
