package nlb

import (
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

func named(name string) config.Identifier { return config.Identifier{Type: "name", Name: name} }

func withUUID(uuid string) config.Identifier { return config.Identifier{Type: "uuid", UUID: uuid} }

func TestPreflightNamesTheFieldAndWhatToDo(t *testing.T) {
	pointer := func(id config.Identifier) *config.Identifier { return &id }
	for name, tc := range map[string]struct {
		change func(w *world, nlb *config.NLB)
		says   []string
	}{
		"everything is there":       {func(*world, *config.NLB) {}, nil},
		"by UUID":                   {func(_ *world, nlb *config.NLB) { nlb.VPC, nlb.Subnet = withUUID(vpcUUID), withUUID(vipsUUID) }, nil},
		"no such VPC":               {func(_ *world, nlb *config.NLB) { nlb.VPC = named("gone") }, []string{"loadBalancer.nlb.vpc", `"gone"`, "role"}},
		"no such subnet":            {func(_ *world, nlb *config.NLB) { nlb.Subnet = named("gone") }, []string{"loadBalancer.nlb.subnet", `"gone"`, "in VPC vpc"}},
		"subnet of another VPC":     {func(_ *world, nlb *config.NLB) { nlb.Subnet = withUUID(foreignUUID) }, []string{"loadBalancer.nlb.subnet", foreignUUID, "in VPC vpc"}},
		"two subnets of one name":   {func(w *world, _ *config.NLB) { w.subnets[1].Name = "vips" }, []string{"loadBalancer.nlb.subnet", "2 of that name", "give the UUID"}},
		"a name of another VPC too": {func(w *world, _ *config.NLB) { w.subnets[4].Name = "vips" }, nil},
		"subnet without addresses":  {func(w *world, _ *config.NLB) { w.subnets[0].Prefix = netip.Prefix{} }, []string{"loadBalancer.nlb.subnet", "does not manage"}},
		"no such subnet of nodes":   {func(_ *world, nlb *config.NLB) { nlb.NodeSubnet = pointer(named("gone")) }, []string{"loadBalancer.nlb.nodeSubnet"}},
		"no such external subnet":   {func(_ *world, nlb *config.NLB) { nlb.ExternalSubnet = pointer(named("gone")) }, []string{"loadBalancer.nlb.externalSubnet"}},
		"external subnet is none":   {func(_ *world, nlb *config.NLB) { nlb.ExternalSubnet = pointer(withUUID(foreignUUID)) }, []string{"loadBalancer.nlb.externalSubnet", "NAT"}},
		"Prism Central without load balancers": {func(w *world, _ *config.NLB) {
			w.faults["ListLoadBalancerSessions"] = []error{&nutanix.Error{Kind: nutanix.Unavailable, Status: http.StatusNotFound}}
		}, []string{"loadBalancer.nlb", "pc.2024.3"}},
		"external subnet without NAT": {func(w *world, _ *config.NLB) { w.subnets[3].IsNAT = false }, []string{"loadBalancer.nlb.externalSubnet", "NAT"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w, w.cfg.LoadBalancer.NLB)
			err := w.backend().Preflight(context.Background())
			if tc.says == nil {
				require.NoError(t, err)
				return
			}
			refusal := refusalOf(t, err)
			assert.Equal(t, ReasonConfiguration, refusal.Reason)
			assert.True(t, refusal.Retry)
			for _, text := range tc.says {
				assert.Contains(t, refusal.Message, text)
			}
		})
	}
}

func TestASubnetOfAnAnnotationIsNamedAsSuch(t *testing.T) {
	w := newWorld(t)
	_, err := w.ensure(newService(1, withSubnet("vlan")))
	refusal := refusalOf(t, err)
	assert.Equal(t, ReasonConfiguration, refusal.Reason)
	assert.Contains(t, refusal.Message, "annotation nutanix.com/load-balancer-subnet")
	assert.Zero(t, w.pieces())
}

func TestWithoutConfigurationNothingIsDone(t *testing.T) {
	w := newWorld(t)
	w.cfg.LoadBalancer.NLB = nil
	require.NoError(t, w.backend().Preflight(context.Background()))
	_, err := w.ensure(newService(1))
	assert.Contains(t, refusalOf(t, err).Message, "loadBalancer.nlb")
	assert.Empty(t, w.calls)
}

func TestAWrongVPCIsNoReasonToCallADeletionDone(t *testing.T) {
	w := newWorld(t)
	w.mustEnsure(newService(1))
	w.cfg.LoadBalancer.NLB.VPC = named("typo")
	err := w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(1)))
	assert.Equal(t, ReasonConfiguration, refusalOf(t, err).Reason)
	assert.Equal(t, 2, w.pieces())
}

func TestReservationsOfTheOtherTypeAreNotTouched(t *testing.T) {
	w := newWorld(t)
	w.subnets[4].Name = "vips" // a VLAN of that name, where type ipam reserves
	service := newService(1)
	theirs := reservation{foreignUUID, netip.MustParseAddr("192.168.0.9")}
	w.reserved[theirs] = loadbalancer.OwnerOf(cluster, service).Context()
	w.mustEnsure(service)
	w.mustDelete(service)
	assert.Contains(t, w.reserved, theirs)
	_, found, err := w.backend().Status(context.Background(), service)
	require.NoError(t, err)
	assert.False(t, found)
}
