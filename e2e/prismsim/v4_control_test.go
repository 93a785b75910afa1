package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestLiveMigration(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	sdk := newVendorSDK(t, s)
	for _, host := range []string{"nutanix-cluster-1-host-2", "nutanix-cluster-2-host-1"} {
		require.NoError(t, s.MigrateVM(vm.UUID, host))
		now, _ := sdk.vm(t, vm.UUID)
		assert.Equal(t, named(t, s, "host", host), *now.Host.ExtId)
		assert.Equal(t, named(t, s, "cluster", host[:len("nutanix-cluster-N")]), *now.Cluster.ExtId)
		assert.Equal(t, vm.NICs[0].UUID, *now.Nics[0].ExtId)
	}
	v3VM, err := connect(t, s, nil).GetVM(t.Context(), vm.UUID)
	require.NoError(t, err)
	assert.Equal(t, "nutanix-cluster-2", *v3VM.Status.ClusterReference.Name)
	assert.ErrorContains(t, s.MigrateVM(vm.UUID, "none"), "no host")
	require.NoError(t, s.PowerOff(vm.UUID))
	assert.ErrorContains(t, s.MigrateVM(vm.UUID, "nutanix-cluster-1-host-1"), "off")
}

func TestShownPowerStates(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	sdk := newVendorSDK(t, s)
	require.NoError(t, s.ShowPowerState(vm.UUID, "UNDETERMINED"))
	now, _ := sdk.vm(t, vm.UUID)
	assert.Equal(t, vmm.POWERSTATE_UNDETERMINED, *now.PowerState)
	require.NoError(t, s.ShowPowerState(vm.UUID, ""))
	now, _ = sdk.vm(t, vm.UUID)
	assert.Nil(t, now.PowerState)
	require.NoError(t, s.PowerOff(vm.UUID))
	now, _ = sdk.vm(t, vm.UUID)
	assert.Equal(t, vmm.POWERSTATE_OFF, *now.PowerState, "a switched VM shows its state again")
	assert.Error(t, s.ShowPowerState(vm.UUID, "MAYBE"))
}

func TestAnnouncedAddressesAreLearned(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	sdk := newVendorSDK(t, s)
	addresses := func() (secondary, learned []string) {
		now, _ := sdk.vm(t, vm.UUID)
		info := now.Nics[0].NicNetworkInfo.GetValue().(vmm.VirtualEthernetNicNetworkInfo)
		assert.Equal(t, vm.NICs[0].IPs[0], *info.Ipv4Config.IpAddress.Value)
		for _, a := range info.Ipv4Config.SecondaryIpAddressList {
			secondary = append(secondary, *a.Value)
		}
		if info.Ipv4Info != nil {
			for _, a := range info.Ipv4Info.LearnedIpAddresses {
				learned = append(learned, *a.Value)
			}
		}
		if info.Ipv6Info != nil {
			for _, a := range info.Ipv6Info.LearnedIpv6Addresses {
				learned = append(learned, *a.Value)
			}
		}
		return secondary, learned
	}
	require.NoError(t, s.LearnAddress(vm.UUID, "", "127.40.1.5"))
	require.NoError(t, s.LearnAddress(vm.UUID, vm.NICs[0].UUID, "fd00::5"))
	require.NoError(t, s.AddSecondaryAddress(vm.UUID, "", "127.40.1.6"))
	secondary, learned := addresses()
	assert.Equal(t, []string{"127.40.1.6"}, secondary)
	assert.Equal(t, []string{"127.40.1.5", "fd00::5"}, learned)
	require.NoError(t, s.ForgetAddress(vm.UUID, "", "127.40.1.5"))
	_, learned = addresses()
	assert.Equal(t, []string{"fd00::5"}, learned)
	assert.Error(t, s.LearnAddress(vm.UUID, "", "nonsense"))
	assert.ErrorContains(t, s.LearnAddress(vm.UUID, "none", "127.40.1.5"), "no NIC")
}

func TestFailoverChangesOnlyTheID(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Inventory.PrismCentral.Version = "pc.7.6" })
	vm := addVM(t, s, func(f *prismsim.Fleet) { f.Attributes = []string{"providerID:x"} })
	now, err := s.ChangeExtID(vm.UUID, "")
	require.NoError(t, err)
	require.NotEqual(t, vm.UUID, now)
	status, body := v4(t, s, http.MethodGet, vmsPath+"/"+vm.UUID, "")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Equal(t, "VM_NOT_FOUND", valueAt(t, body, "data", "error", 0, "errorGroup"))

	filter := "biosUuid eq '" + vm.UUID + "'"
	response, err := newVendorSDK(t, s).vms.ListVms(nil, nil, &filter, nil, nil)
	require.NoError(t, err)
	found := response.GetData().([]vmm.Vm)
	require.Len(t, found, 1)
	assert.Equal(t, now, *found[0].ExtId)
	assert.Equal(t, []string{"providerID:x"}, found[0].CustomAttributes)
	assert.Equal(t, vm.NICs[0].UUID, *found[0].Nics[0].ExtId)

	other := addVM(t, s, nil)
	_, err = s.ChangeExtID(other.UUID, now)
	assert.ErrorContains(t, err, "belongs to another VM")
	_, err = s.ChangeExtID(vm.UUID, "")
	assert.ErrorContains(t, err, "does not exist")
}

func TestGuestKeepsRunningDuringFailover(t *testing.T) {
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	vm := addVM(t, s, nil)
	now, err := s.ChangeExtID(vm.UUID, "")
	require.NoError(t, err)
	require.NoError(t, s.PowerOff(now))
	want := []string{"on " + vm.UUID + " 1024", "off " + vm.UUID}
	assert.Eventually(t, func() bool { return len(h.calls()) == len(want) }, waitFor, tick)
	assert.Equal(t, want, h.calls(), "the hypervisor knows it by its first ID")
}

func TestAddVMs(t *testing.T) {
	s := start(t, func(o *prismsim.Options) {
		o.Inventory.Subnets[0].CIDR, o.Inventory.Subnets[0].Pools = "127.41.0.0/16", []string{"127.41.1.0-127.41.9.255"}
	})
	vms, err := s.AddVMs(prismsim.Fleet{Count: 500, NamePrefix: "node", PrismElement: "nutanix-cluster-1", Subnets: []string{"vm-network"}})
	require.NoError(t, err)
	require.Len(t, vms, 500)
	require.Len(t, s.VMs(), 500)
	addresses, hosts := map[string]bool{}, map[string]int{}
	for _, vm := range vms {
		addresses[vm.NICs[0].IPs[0]] = true
		hosts[vm.Host]++
		assert.Equal(t, "ON COMPLETE", vm.PowerState+" "+vm.State)
	}
	assert.Len(t, addresses, 500)
	assert.Len(t, hosts, 3, "spread over the hosts")
	assert.Equal(t, "node-499", vms[499].Name)

	few, err := s.AddVMs(prismsim.Fleet{Count: 300, NamePrefix: "more", PrismElement: "nutanix-cluster-2", Subnets: []string{"vm-network-2"}})
	assert.ErrorContains(t, err, "NoFreeIP")
	assert.Len(t, few, 241, "those that had an address stay")
	assert.Len(t, s.VMs(), 741)
}

func TestControlEndpointsOfV4(t *testing.T) {
	s := start(t, nil)
	send := func(method, path, body string, want int) string {
		t.Helper()
		response, out := request(t, s, method, path, body, nil)
		require.Equal(t, want, response.StatusCode, "%s %s: %s", method, path, out)
		return out
	}
	send(http.MethodPost, "/sim/vms", `{"count":2,"namePrefix":"vm","prismElement":"nutanix-cluster-1","subnets":["vm-network"]}`, http.StatusCreated)
	send(http.MethodPost, "/sim/vms", `{"count":1,"prismElement":"none"}`, http.StatusBadRequest)
	send(http.MethodPost, "/sim/vms", `{"colour":"red"}`, http.StatusBadRequest)
	require.Len(t, s.VMs(), 2)
	vm := s.VMs()[0]
	at := "/sim/vms/" + vm.UUID
	send(http.MethodPost, at+"/migrate", `{"host":"nutanix-cluster-2-host-1"}`, http.StatusNoContent)
	send(http.MethodPost, at+"/migrate", `{"host":"none"}`, http.StatusBadRequest)
	send(http.MethodPost, at+"/learn", `{"address":"127.40.1.5"}`, http.StatusNoContent)
	send(http.MethodPost, at+"/secondary", `{"address":"127.40.1.6"}`, http.StatusNoContent)
	send(http.MethodPost, at+"/power_state", `{"state":"PAUSED"}`, http.StatusNoContent)
	send(http.MethodPut, at+"/custom_attributes", `["a:b"]`, http.StatusNoContent)
	send(http.MethodPut, "/sim/clusters/nutanix-cluster-1/categories", `{"Region":["eu"]}`, http.StatusNoContent)
	send(http.MethodPut, "/sim/clusters/none/categories", `{}`, http.StatusNotFound)
	send(http.MethodPost, at+"/ext_id", `{"uuid":"11111111-2222-4333-8444-555555555555"}`, http.StatusNoContent)
	send(http.MethodPost, at+"/forget", `{"address":"127.40.1.5"}`, http.StatusNotFound)
	now, _ := newVendorSDK(t, s).vm(t, "11111111-2222-4333-8444-555555555555")
	assert.Equal(t, vmm.POWERSTATE_PAUSED, *now.PowerState)
	assert.Equal(t, []string{"a:b"}, now.CustomAttributes)
	assert.Equal(t, named(t, s, "host", "nutanix-cluster-2-host-1"), *now.Host.ExtId)
	assert.Equal(t, vm.BIOSUUID, *now.BiosUuid)
	assert.Equal(t, []string{vm.NICs[0].IPs[0], "127.40.1.5"}, s.VMs()[0].NICs[0].IPs)
}
