package prismsim_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

// tiny is an inventory with a subnet that has three addresses.
const tiny = `
prismElements: [{name: pe}]
subnets:
- {name: three, prismElement: pe, cidr: 127.50.1.0/24, ipam: true, pools: [127.50.1.0-127.50.1.4]}
- {name: wild, prismElement: pe, cidr: 127.50.2.0/24, pools: [127.50.2.10-127.50.2.20]}
- {name: silent, prismElement: pe}
`

func startTiny(t *testing.T) (*prismsim.Server, v3.Service) {
	t.Helper()
	inventory, err := prismsim.ParseInventory([]byte(tiny))
	require.NoError(t, err)
	s := start(t, func(o *prismsim.Options) { o.Inventory = inventory })
	return s, connect(t, s, nil)
}

// vmOnSubnet returns a small VM with one NIC.
func vmOnSubnet(t *testing.T, s *prismsim.Server, subnet, ip string) *v3.VMIntentInput {
	t.Helper()
	n := &v3.VMNic{SubnetReference: ref("subnet", named(t, s, "subnet", subnet))}
	if ip != "" {
		n.IPEndpointList = []*v3.IPAddress{{IP: &ip}}
	}
	return &v3.VMIntentInput{Metadata: &v3.Metadata{Kind: ptr("vm")}, Spec: &v3.VM{
		Name: ptr("vm"), ClusterReference: ref("cluster", named(t, s, "cluster", "pe")),
		Resources: &v3.VMResources{PowerState: ptr("ON"), NicList: []*v3.VMNic{n}},
	}}
}

func TestAddressesAreUniqueAndReleasedOnDelete(t *testing.T) {
	s, client := startTiny(t)
	var first *v3.VMIntentResponse
	for i := range 3 { // .0 is the network address, .1 the gateway
		vm := create(t, client, vmOnSubnet(t, s, "three", ""))
		assert.Equal(t, fmt.Sprintf("127.50.1.%d", i+2), *vm.Spec.Resources.NicList[0].IPEndpointList[0].IP)
		if first == nil {
			first = vm
		}
	}
	response, err := client.CreateVM(t.Context(), vmOnSubnet(t, s, "three", ""))
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	assert.Contains(t, *task.ErrorDetail, "No free IP address")
	_, err = client.GetVM(t.Context(), *response.Metadata.UUID)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND", "no VM may be left after a failed create")

	response, err = client.CreateVM(t.Context(), vmOnSubnet(t, s, "three", "127.50.1.2"))
	require.NoError(t, err)
	assert.Contains(t, *wait(t, client, response.Status.ExecutionContext).ErrorDetail, "already assigned")

	gone, err := client.DeleteVM(t.Context(), *first.Metadata.UUID)
	require.NoError(t, err)
	wait(t, client, gone.Status.ExecutionContext)
	vm := create(t, client, vmOnSubnet(t, s, "three", "127.50.1.2"))
	assert.Equal(t, "127.50.1.2", *vm.Spec.Resources.NicList[0].IPEndpointList[0].IP)
}

func TestUnmanagedAddressesAreLearnedAfterPowerOn(t *testing.T) {
	s, client := startTiny(t)
	body := vmOnSubnet(t, s, "wild", "")
	body.Spec.Resources.PowerState = ptr("OFF")
	vm := create(t, client, body)
	assert.Empty(t, vm.Status.Resources.NicList[0].IPEndpointList)

	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Resources.PowerState = ptr("ON") })
	assert.Empty(t, vm.Spec.Resources.NicList[0].IPEndpointList, "only a status shows what was learned")
	learned := vm.Status.Resources.NicList[0].IPEndpointList
	require.Len(t, learned, 1)
	assert.Equal(t, "127.50.2.10", *learned[0].IP)
	assert.Equal(t, "LEARNED", *learned[0].Type)

	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Spec.Resources.NicList = append(b.Spec.Resources.NicList, &v3.VMNic{SubnetReference: ref("subnet", named(t, s, "subnet", "wild"))})
	})
	require.Len(t, vm.Status.Resources.NicList, 2)
	assert.Equal(t, "127.50.2.11", *vm.Status.Resources.NicList[1].IPEndpointList[0].IP, "a NIC added while on")

	silent := create(t, client, vmOnSubnet(t, s, "silent", ""))
	assert.Empty(t, silent.Status.Resources.NicList[0].IPEndpointList)
}

func TestDualStack(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, withSubnet(intent(t, s, "vm-1"), ref("subnet", named(t, s, "subnet", "dual-stack-network"))))
	got := vm.Status.Resources.NicList[0].IPEndpointList
	require.Len(t, got, 2)
	assert.Equal(t, "127.40.3.10 ASSIGNED", *got[0].IP+" "+*got[0].Type)
	assert.Equal(t, "fd00:40:3::1000 LEARNED", *got[1].IP+" "+*got[1].Type)
	assert.Equal(t, []string{"127.40.3.10", "fd00:40:3::1000"}, s.VMs()[0].NICs[0].IPs)
}

func TestConcurrentClients(t *testing.T) {
	const clients, each = 4, 8
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	client := connect(t, s, nil)
	bodies := []*v3.VMIntentInput{}
	for i := range clients {
		bodies = append(bodies, intent(t, s, fmt.Sprintf("vm-%d", i)))
	}
	var group sync.WaitGroup
	for _, body := range bodies {
		group.Go(func() {
			for i := range each {
				response, err := client.CreateVM(t.Context(), body)
				if !assert.NoError(t, err) {
					return
				}
				_, err = client.ListAllVM(t.Context(), "")
				assert.NoError(t, err)
				if i%2 == 0 {
					_, err = client.DeleteVM(t.Context(), *response.Metadata.UUID)
					assert.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	require.Eventually(t, func() bool {
		for _, task := range s.Tasks() {
			if task.Status != "SUCCEEDED" {
				return false
			}
		}
		return true
	}, waitFor, tick)
	vms := s.VMs()
	assert.Len(t, vms, clients*each/2)
	seen := map[string]bool{}
	for _, vm := range vms {
		for _, n := range vm.NICs {
			assert.False(t, seen[n.IPs[0]] || seen[n.MAC], "address %s or MAC %s given twice", n.IPs[0], n.MAC)
			seen[n.IPs[0]], seen[n.MAC] = true, true
		}
	}
	s.Close()
	assert.Len(t, h.calls(), clients*each*3/2)
}
