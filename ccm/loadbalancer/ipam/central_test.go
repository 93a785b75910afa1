package ipam_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

const inventory = `
prismElements: [{name: pe}]
vpcs: [{name: vpc}]
subnets:
- {name: vlan-7, prismElement: pe, vlanID: 7, cidr: 127.71.7.0/24, ipam: true, pools: [127.71.7.10-127.71.7.12]}
- {name: vlan-8, prismElement: pe, vlanID: 8, cidr: 127.71.8.0/24, ipam: true, pools: [127.71.8.10-127.71.8.12]}
- {name: overlay, type: OVERLAY, vpc: vpc, cidr: 127.71.9.0/24, ipam: true, pools: [127.71.9.10-127.71.9.12]}
`

// newCentralBed is a bed with a simulated Prism Central and the product's client.
func newCentralBed(t *testing.T) (*bed, *prismsim.Server) {
	t.Helper()
	b := newBed(t)
	server, client := prismtest.Start(t, inventory, prismsim.Options{}, nutanix.Limits{})
	b.api = client
	b.config.LoadBalancer.IPAM.AdditionalSubnets = []config.Identifier{{Type: "name", Name: "vlan-8"}}
	b.restart()
	return b, server
}

// reservations lists "<subnet> <address> <client context>".
func reservations(server *prismsim.Server) []string {
	all := []string{}
	for _, r := range server.ReservedIPs("") {
		all = append(all, r.Subnet+" "+r.Address+" "+r.ClientContext)
	}
	return all
}

func TestLifeInPrismCentral(t *testing.T) {
	b, server := newCentralBed(t)
	s := b.service(1)
	require.NoError(t, b.ensure(s))
	assert.Equal(t, []string{"vlan-7 127.71.7.10" + reserved}, reservations(server))
	require.NoError(t, server.UnreserveIP("vlan-7", "127.71.7.10"))
	require.NoError(t, server.ReserveIP("vlan-7", "127.71.7.11", "a stranger"))
	require.NoError(t, b.ensure(s))
	assert.Contains(t, reservations(server), "vlan-7 127.71.7.10"+reserved, "drift is repaired with the same address")

	b.change(s, func(s *corev1.Service) { s.Annotations[loadbalancer.AnnotationSubnet] = "vlan-8" })
	require.NoError(t, b.ensure(s))
	assert.Equal(t, []string{"vlan-7 127.71.7.11 a stranger", "vlan-8 127.71.8.10" + reserved}, reservations(server))
	assert.Equal(t, "127.71.8.10", b.read(s).Annotations[kubeVIP])
	require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)))
	assert.Equal(t, []string{"vlan-7 127.71.7.11 a stranger"}, reservations(server))
}

func TestOneOfTwoGetsTheAddressThatBothAskFor(t *testing.T) {
	b, server := newCentralBed(t)
	errs := make([]error, 2)
	var group sync.WaitGroup
	for i := range errs {
		s := b.read(b.service(i+1, loadbalancer.AnnotationAddress, "127.71.7.12"))
		group.Go(func() { _, errs[i] = b.backend.Ensure(t.Context(), s, nil) })
	}
	group.Wait()
	if errs[0] == nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	var refusal *loadbalancer.Refusal
	require.ErrorAs(t, errs[0], &refusal)
	assert.Equal(t, ipam.ReasonAddressTaken, refusal.Reason)
	require.NoError(t, errs[1])
	assert.Len(t, reservations(server), 1)
}

func TestFullSubnetIsSaidToBeFull(t *testing.T) {
	b, server := newCentralBed(t)
	for number := 1; number <= 3; number++ {
		require.NoError(t, b.ensure(b.service(number)))
	}
	var refusal *loadbalancer.Refusal
	require.ErrorAs(t, b.ensure(b.service(4)), &refusal)
	assert.Equal(t, ipam.ReasonAddressesExhausted, refusal.Reason)
	assert.Len(t, reservations(server), 3)
}

func TestOverlaySubnetOfAVPCIsRefused(t *testing.T) {
	b, _ := newCentralBed(t)
	b.config.LoadBalancer.IPAM.Subnet.Name = "overlay"
	var refusal *loadbalancer.Refusal
	require.ErrorAs(t, b.ensure(b.service(1)), &refusal)
	assert.Equal(t, ipam.ReasonConfiguration, refusal.Reason)
}

// Every request of a life goes wrong once, in every way that a network, a proxy and a task have.
func TestFaultsOnTheWayLeakNothingAndTellNoSecret(t *testing.T) {
	requests := map[string]prismsim.Fault{
		"reply lost": {DropReply: true},
		"cut":        {Cut: true},
		"proxy":      {Status: 404, Body: "<html>not found</html>", ContentType: "text/html"},
		"internal":   {Status: 500},
	}
	lists := map[string]prismsim.Fault{"half": {Half: true}}
	changes := map[string]prismsim.Fault{
		"refused":    {Drop: true},
		"task fails": {TaskError: "internal error"},
		"afterwards": {TaskError: "internal error", AfterWork: true},
	}
	maps.Copy(lists, requests)
	maps.Copy(changes, requests)
	for path, faults := range map[string]map[string]prismsim.Fault{
		"/config/subnets$": lists, "/reserved-ips": lists, "/config/tasks/": requests,
		"/\\$actions/reserve": changes, "/\\$actions/unreserve": changes,
	} {
		for name, fault := range faults {
			t.Run(strings.Trim(path, "/\\$")+" "+name, func(t *testing.T) {
				t.Parallel() // most of the time is waiting for tasks
				b, server := newCentralBed(t)
				s := b.service(1)
				fault.Path, fault.Times = path, 1
				_, err := server.Faults().Set(fault)
				require.NoError(t, err)
				persist(b, func() error { return b.ensure(s) })
				assert.Len(t, reservations(server), 1)
				b.change(s, func(s *corev1.Service) { s.Annotations[loadbalancer.AnnotationAddress] = "127.71.8.11" })
				persist(b, func() error { return b.ensure(s) })
				assert.Equal(t, []string{"vlan-8 127.71.8.11" + reserved}, reservations(server))
				persist(b, func() error { return b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)) })
				assert.Empty(t, reservations(server))
				assert.Equal(t, 1, server.Faults().List()[0].Hits)
			})
		}
	}
}

// persist does something until it works, which must be soon, and looks for the password in its errors.
func persist(b *bed, do func() error) {
	b.Helper()
	var err error
	for range 4 {
		if err = do(); err == nil {
			return
		}
		assert.NotContains(b, fmt.Sprintf("%+v", err), prismtest.Password)
		b.restart()
	}
	require.NoError(b, err)
}
