package instance

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/nutanix"
)

func TestANodeIsNonexistentOnlyWhenPrismCentralConfirmsIt(t *testing.T) {
	unavailable := &nutanix.Error{Operation: "x", Kind: nutanix.Unavailable, Status: 503}
	const strangerUUID = "0a1b2c3d-0000-4000-8000-000000000004"
	stranger := func(uuid string) nutanix.VM { // another cluster's
		vm := worker()
		vm.UUID, vm.BIOSUUID, vm.CategoryUUIDs = uuid, uuid, nil
		return vm
	}
	without := func(b *bench) { // the virtual machine was deleted, others are left
		other := worker()
		other.UUID, other.BIOSUUID, other.Name = thirdUUID, thirdUUID, "other"
		b.prism.vms = []nutanix.VM{other}
	}
	for name, tc := range map[string]struct {
		given  func(*bench)
		node   func(*corev1.Node)
		exists bool
		fails  bool
	}{
		"it is there":    {given: func(*bench) {}, exists: true},
		"it was deleted": {given: without},
		"it was deleted, and the configuration names no cluster":        {given: func(b *bench) { without(b); b.settings.ClusterName = "" }},
		"it was deleted, and nothing is left in the cluster's category": {given: func(b *bench) { without(b); b.prism.vms[0].CategoryUUIDs = nil }},

		"a proxy answers 404":                  {given: func(b *bench) { without(b); b.prism.script["VM"] = always(proxied404("VM")) }, fails: true},
		"a proxy answers 404 when asked again": {given: func(b *bench) { without(b); b.prism.script["VM"] = from(2, proxied404("VM")) }, fails: true},
		"an untyped error":                     {given: func(b *bench) { without(b); b.prism.script["VM"] = always(errors.New("404 not found")) }, fails: true},
		"the credentials are wrong": {given: func(b *bench) {
			without(b)
			b.prism.script["VM"] = always(&nutanix.Error{Operation: "VM", Kind: nutanix.Unauthorized, Status: 401})
		}, fails: true},
		"the list of the cluster fails":                  {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = always(unavailable) }, fails: true},
		"the search by BIOS UUID fails":                  {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(2, unavailable) }, fails: true},
		"the search by name fails":                       {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(3, unavailable) }, fails: true},
		"the list fails when asked again":                {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(4, unavailable) }, fails: true},
		"the search by BIOS UUID fails when asked again": {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(5, unavailable) }, fails: true},
		"the search by name fails when asked again":      {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(6, unavailable) }, fails: true},
		"the search by attribute fails":                  {given: func(b *bench) { without(b); b.prism.script["ListVMs"] = from(7, unavailable) }, fails: true},
		"categories cannot be read":                      {given: func(b *bench) { without(b); b.prism.script["ListCategories"] = always(unavailable) }, fails: true},
		"Prism Central lists nothing at all":             {given: func(b *bench) { b.prism.vms = nil }, fails: true},
		"Prism Central lists nothing at all, and the configuration names no cluster": {given: func(b *bench) {
			b.prism.vms = nil
			b.settings.ClusterName = ""
		}, fails: true},

		"it failed over to another site: it has a new UUID and the former BIOS UUID": {given: func(b *bench) {
			b.prism.vms[0].UUID = formerUUID
		}, exists: true},
		"it failed over: only the attribute has the former UUID": {given: func(b *bench) {
			b.prism.vms[0].UUID, b.prism.vms[0].BIOSUUID, b.prism.vms[0].Name = formerUUID, formerUUID, "renamed"
			b.prism.vms[0].CustomAttributes = []string{"providerID:" + vmUUID}
		}, exists: true},
		"it failed over: only the attribute has the former UUID, and the configuration names no cluster": {given: func(b *bench) {
			b.settings.ClusterName = ""
			b.prism.vms[0].UUID, b.prism.vms[0].BIOSUUID, b.prism.vms[0].Name = formerUUID, formerUUID, "renamed"
			b.prism.vms[0].CustomAttributes = []string{"providerid:" + vmUUID}
		}, exists: true},
		"it failed over: only its name is left, with another BIOS UUID": {given: func(b *bench) {
			b.prism.vms[0].UUID, b.prism.vms[0].BIOSUUID = formerUUID, formerUUID
		}, fails: true},
		"it was deleted, and another cluster's has its name": {given: func(b *bench) {
			without(b)
			b.prism.vms = append(b.prism.vms, stranger(formerUUID))
		}},
		"it was deleted, and those of two other clusters have its name": {given: func(b *bench) {
			without(b)
			b.prism.vms = append(b.prism.vms, stranger(formerUUID), stranger(strangerUUID))
		}},
		"it was deleted, another cluster's has its name, and a proxy answers 404 when asked again": {given: func(b *bench) {
			without(b)
			b.prism.vms = append(b.prism.vms, stranger(formerUUID))
			b.prism.script["VM"] = from(2, proxied404("VM"))
		}, fails: true},
		"another has its name, and the configuration names no cluster": {given: func(b *bench) {
			without(b)
			b.prism.vms, b.settings.ClusterName = append(b.prism.vms, stranger(formerUUID)), ""
		}, fails: true},
		"another has its name, and none has the cluster's category": {given: func(b *bench) {
			b.prism.vms = []nutanix.VM{stranger(formerUUID)}
		}, fails: true},
		"one of the cluster and another have its name": {given: func(b *bench) {
			b.prism.vms[0].UUID, b.prism.vms[0].BIOSUUID = thirdUUID, thirdUUID
			b.prism.vms = append(b.prism.vms, stranger(formerUUID))
		}, fails: true},
		"it lost its category": {given: func(b *bench) { b.prism.vms[0].CategoryUUIDs = nil }, exists: true},
		"it came back while it was being confirmed": {given: func(b *bench) {
			b.prism.script["VM"] = func(n int) error {
				if n == 1 {
					return gone("VM")
				}
				return nil
			}
			b.settings.ClusterName = ""
			b.prism.vms[0].BIOSUUID, b.prism.vms[0].Name = "", "renamed"
		}, exists: true},
		"the node has only a name that no virtual machine has": {given: without, node: func(n *corev1.Node) {
			n.Spec.ProviderID, n.Status.NodeInfo.SystemUUID = "", ""
		}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			b, node := newBench(t), ready()
			tc.given(b)
			if tc.node != nil {
				tc.node(node)
			}
			exists, err := b.InstanceExists(context.Background(), node)
			assert.Equal(t, tc.fails, err != nil, "%v", err)
			assert.Equal(t, tc.exists, exists)
		})
	}
}

// TestADeletionCostsAKnownNumberOfCalls states the price of certainty, which is paid once for each deleted node.
func TestADeletionCostsAKnownNumberOfCalls(t *testing.T) {
	b := newBench(t)
	b.prism.vms[0].UUID, b.prism.vms[0].BIOSUUID, b.prism.vms[0].Name = thirdUUID, thirdUUID, "other"
	exists, err := b.InstanceExists(context.Background(), ready())
	require.NoError(t, err)
	assert.False(t, exists)
	assert.Equal(t, map[string]int{"ListCategories": 1, "VM": 2, "ListVMs": 7}, b.prism.calls)
}

// TestAStaleListNeverMakesANodeNonexistent: the list was read before the virtual machine was made.
func TestAStaleListNeverMakesANodeNonexistent(t *testing.T) {
	b := newBench(t)
	vm := b.prism.vms[0]
	b.prism.vms = nil
	_, err := b.Cache.VMsOfCategory(context.Background(), ofCluster)
	require.NoError(t, err)
	b.prism.change(func() { b.prism.vms = []nutanix.VM{vm} })
	exists, err := b.InstanceExists(context.Background(), ready())
	require.NoError(t, err)
	assert.True(t, exists)
}

func TestShutDownMeansOff(t *testing.T) {
	for state, want := range map[nutanix.PowerState]bool{
		nutanix.PowerOff: true, nutanix.PowerOn: false, nutanix.PowerPaused: false, nutanix.PowerUndetermined: false, "": false, "NEW": false,
	} {
		t.Run(string(state), func(t *testing.T) {
			b := newBench(t)
			b.prism.vms[0].PowerState = state
			got, err := b.InstanceShutdown(context.Background(), ready())
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	t.Run("a missing virtual machine is an error", func(t *testing.T) {
		b := newBench(t)
		b.prism.vms = nil
		got, err := b.InstanceShutdown(context.Background(), ready())
		require.ErrorIs(t, err, errMissing)
		assert.False(t, got)
	})
}
