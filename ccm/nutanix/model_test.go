package nutanix_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	common "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/common/v1/config"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/ccm/nutanix"
)

func vendorAddress(text string) common.IPv4Address { return common.IPv4Address{Value: ptr.To(text)} }

// vendorNIC gives a NIC in the form of v4.2, or in that of v4.0 when info is nil.
func vendorNIC(t *testing.T, uuid string, info any, old *vmm.NicNetworkInfo) vmm.Nic {
	t.Helper()
	nic := vmm.NewNic()
	nic.ExtId, nic.NetworkInfo = ptr.To(uuid), old
	if info != nil {
		require.NoError(t, nic.SetNicNetworkInfo(info))
	}
	return *nic
}

// TestAVMIsReadAsTheSDKWritesIt: virtual machines alone are decoded without the SDK's model, which is the judge here.
func TestAVMIsReadAsTheSDKWritesIt(t *testing.T) {
	subnet := vmm.NewSubnetReference()
	subnet.ExtId = ptr.To("S")
	config, learned, learned6 := vmm.NewIpv4Config(), vmm.NewIpv4Info(), vmm.NewIpv6Info()
	config.IpAddress, config.SecondaryIpAddressList = ptr.To(vendorAddress("10.0.0.5")), []common.IPv4Address{vendorAddress("10.0.0.6")}
	learned.LearnedIpAddresses = []common.IPv4Address{vendorAddress("10.0.0.7")}
	learned6.LearnedIpv6Addresses = []common.IPv6Address{{Value: ptr.To("fd00::5")}}
	ethernet, offload := vmm.NewVirtualEthernetNicNetworkInfo(), vmm.NewDpOffloadNicNetworkInfo()
	ethernet.Subnet, ethernet.Ipv4Config, ethernet.Ipv4Info, ethernet.Ipv6Info = subnet, config, learned, learned6
	offload.Subnet, offload.Ipv4Config, offload.Ipv4Info, offload.Ipv6Info = subnet, config, learned, learned6
	old := vmm.NewNicNetworkInfo()
	old.Subnet, old.Ipv4Config, old.Ipv4Info = subnet, config, learned

	vm := vmm.NewVm()
	vm.ExtId, vm.Name, vm.BiosUuid, vm.CustomAttributes = ptr.To("A"), ptr.To("node-1"), ptr.To("B"), []string{"providerID:x"}
	vm.NumSockets, vm.NumCoresPerSocket, vm.NumThreadsPerCore, vm.MemorySizeBytes = ptr.To(4), ptr.To(2), ptr.To(1), ptr.To[int64](8<<30)
	vm.PowerState = vmm.POWERSTATE_UNDETERMINED.Ref()
	vm.Cluster, vm.Host = vmm.NewClusterReference(), vmm.NewHostReference()
	vm.Cluster.ExtId, vm.Host.ExtId = ptr.To("C"), ptr.To("H")
	vm.Categories = []vmm.CategoryReference{{ExtId: ptr.To("K")}}
	vm.Nics = []vmm.Nic{
		vendorNIC(t, "N1", *ethernet, nil), vendorNIC(t, "N2", *offload, nil), vendorNIC(t, "N3", *vmm.NewSriovNicNetworkInfo(), nil),
		vendorNIC(t, "N4", nil, old),
	}
	body, err := json.Marshal(vm)
	require.NoError(t, err)

	c := newCentral(t)
	c.On(vmsPath, answer(200, items(1, string(body))))
	got, err := c.client(t, nil).ListVMs(t.Context(), filterNone)
	require.NoError(t, err)
	nic := func(uuid string, learned ...string) nutanix.NIC {
		return nutanix.NIC{
			UUID: uuid, SubnetUUID: "s", Primary: netip.MustParseAddr("10.0.0.5"), Secondary: addresses("10.0.0.6"), Learned: addresses(learned...),
		}
	}
	assert.Equal(t, []nutanix.VM{{
		UUID: "a", Name: "node-1", BIOSUUID: "b", PowerState: nutanix.PowerUndetermined, CustomAttributes: []string{"providerID:x"},
		PrismElementUUID: "c", HostUUID: "h", Sockets: 4, CoresPerSocket: 2, ThreadsPerCore: 1, MemoryBytes: 8 << 30, CategoryUUIDs: []string{"k"},
		NICs: []nutanix.NIC{nic("n1", "10.0.0.7", "fd00::5"), nic("n2", "10.0.0.7", "fd00::5"), {UUID: "n3"}, nic("n4", "10.0.0.7")},
	}}, got)
}
