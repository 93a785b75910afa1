package instance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

func TestTopology(t *testing.T) {
	category := func(uuid, key, value string) nutanix.Category {
		return nutanix.Category{UUID: uuid, Key: key, Value: value}
	}
	byCategory := func(vm, element []string) func(*bench) {
		return func(b *bench) {
			b.settings.TopologyDiscovery = config.TopologyDiscovery{Type: config.TopologyByCategory,
				TopologyCategories: &config.TopologyCategories{RegionCategory: "Region", ZoneCategory: "Zone"}}
			b.prism.categories = append(b.prism.categories, category("r1", "Region", "eu"), category("r2", "Region", "us"),
				category("z1", "Zone", "eu-1"), category("z2", "Zone", "eu-2"), category("x1", "Other", "eu-9"))
			b.prism.vms[0].CategoryUUIDs = append(b.prism.vms[0].CategoryUUIDs, vm...)
			b.prism.elements[0].CategoryUUIDs = element
		}
	}
	for name, tc := range map[string]struct {
		given    func(*bench)
		want     place
		contains []string
	}{
		"Prism": {func(*bench) {}, place{Zone: "pe-a", Region: "central"}, nil},
		"Prism, names that are no labels": {func(b *bench) {
			b.prism.elements[0].Name, b.prism.elements[2].Name = "Rack 7 (left)", "Zürich"
		}, place{Zone: "Rack-7--left", Region: labelValue("Zürich")}, nil},
		"Prism, no cluster runs Prism Central":  {func(b *bench) { b.prism.elements = b.prism.elements[:2] }, place{}, []string{"there are 0", "Categories"}},
		"Prism, two clusters run Prism Central": {func(b *bench) { b.prism.elements[1].IsPrismCentral = true }, place{}, []string{"there are 2", "central", "pe-b"}},
		"Prism, on no Prism Element":            {func(b *bench) { b.prism.vms[0].PrismElementUUID = "" }, place{}, []string{vmUUID, "no Prism Element"}},
		"Prism, on a hidden Prism Element":      {func(b *bench) { b.prism.elements = b.prism.elements[1:] }, place{}, []string{elementUUID, "right to view"}},
		"Prism, a Prism Element without a name": {func(b *bench) { b.prism.elements[0].Name = "" }, place{}, []string{elementUUID}},

		"categories of the virtual machine": {byCategory([]string{"r1", "z1", "x1"}, []string{"r2", "z2"}), place{Zone: "eu-1", Region: "eu"}, nil},
		"categories of the Prism Element":   {byCategory(nil, []string{"r1", "z2"}), place{Zone: "eu-2", Region: "eu"}, nil},
		"categories of both":                {byCategory([]string{"z1"}, []string{"r1", "z2"}), place{Zone: "eu-1", Region: "eu"}, nil},
		"several values on the virtual machine": {byCategory([]string{"r1", "z2", "z1"}, nil), place{},
			[]string{vmUUID, "eu-1, eu-2", "Zone"}},
		"several values on the Prism Element": {byCategory([]string{"z1"}, []string{"r1", "r2"}), place{}, []string{elementUUID, "eu, us", "Region"}},
		"no region":                           {byCategory([]string{"z1"}, nil), place{}, []string{"Region", "assign one"}},
		"no zone":                             {byCategory([]string{"r1"}, nil), place{}, []string{"Zone", "assign one"}},
		"no categories configured": {func(b *bench) {
			b.settings.TopologyDiscovery = config.TopologyDiscovery{Type: config.TopologyByCategory}
		}, place{}, []string{"topologyCategories"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			tc.given(b)
			metadata, err := b.InstanceMetadata(context.Background(), registered())
			if tc.contains == nil {
				require.NoError(t, err)
				assert.Equal(t, tc.want, place{Zone: metadata.Zone, Region: metadata.Region})
				assert.Empty(t, b.reasons())
				return
			}
			problem := problemOf(t, err, ReasonTopology)
			for _, text := range tc.contains {
				assert.Contains(t, problem.Message, text)
			}
			assert.Equal(t, []string{"Warning " + ReasonTopology + " " + problem.Message}, b.reasons())
			_, err = b.InstanceMetadata(context.Background(), registered())
			require.Error(t, err)
			assert.Empty(t, b.reasons(), "told once")
			b.clock.Step(repeatAfter)
			_, err = b.InstanceMetadata(context.Background(), registered())
			require.Error(t, err)
			assert.Len(t, b.reasons(), 1, "told again before the API server forgets")
		})
	}
}

func TestAnInitializedNodeKeepsItsPlaceAndGetsAddressesWhenItsTopologyIsUnknown(t *testing.T) {
	node := ready()
	node.Labels = map[string]string{"topology.kubernetes.io/zone": "pe-a"}
	b := newBench(t, node)
	b.prism.elements = nil
	metadata, err := b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.10", metadata.NodeAddresses[0].Address)
	assert.Empty(t, metadata.Zone)
	assert.Len(t, b.reasons(), 2, "topology unknown; other labels set")
	assert.Equal(t, "pe-a", labelsOf(t, b)["topology.kubernetes.io/zone"])
}

// TestANewValueOfACategoryIsSeenSoon though the Prism Element has a value that is known, and is asked for once.
func TestANewValueOfACategoryIsSeenSoon(t *testing.T) {
	for name, tc := range map[string]struct {
		listed bool // just before the value was made
		after  string
	}{
		"at once":                               {listed: false, after: "eu-9"},
		"when the list is older than the value": {listed: true, after: "eu-2"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.settings.TopologyDiscovery = config.TopologyDiscovery{Type: config.TopologyByCategory,
				TopologyCategories: &config.TopologyCategories{RegionCategory: "Region", ZoneCategory: "Zone"}}
			b.prism.categories = append(b.prism.categories, nutanix.Category{UUID: "r1", Key: "Region", Value: "eu"},
				nutanix.Category{UUID: "z2", Key: "Zone", Value: "eu-2"})
			b.prism.elements[0].CategoryUUIDs = []string{"r1", "z2"}
			zone := func() string {
				metadata, err := b.InstanceMetadata(context.Background(), registered())
				require.NoError(t, err)
				return metadata.Zone
			}
			assert.Equal(t, "eu-2", zone())
			b.clock.Step(time.Minute)
			if tc.listed {
				_, err := b.Cache.Categories(context.Background(), "Zone")
				require.NoError(t, err)
			}
			b.prism.change(func() {
				b.prism.categories = append(b.prism.categories, nutanix.Category{UUID: "z9", Key: "Zone", Value: "eu-9"})
				b.prism.vms[0].CategoryUUIDs = []string{ofCluster, "z9"}
			})
			assert.Equal(t, tc.after, zone())
			b.clock.Step(time.Minute)
			assert.Equal(t, "eu-9", zone())
			asked := b.prism.calls["ListCategories"]
			for range 5 {
				b.clock.Step(time.Minute)
				assert.Equal(t, "eu-9", zone())
			}
			assert.Equal(t, asked, b.prism.calls["ListCategories"])
		})
	}
}

// TestNamesOutliveAFailure: zone and region are told from what is known while Prism Central does not answer about clusters.
func TestNamesOutliveAFailure(t *testing.T) {
	b := newBench(t)
	_, err := b.InstanceMetadata(context.Background(), registered())
	require.NoError(t, err)
	b.prism.script["ListPrismElements"] = always(errors.New("clustermgmt is away"))
	b.clock.Step(2 * namesLifetime)
	metadata, err := b.InstanceMetadata(context.Background(), registered())
	require.NoError(t, err)
	assert.Equal(t, "pe-a", metadata.Zone)

	b.prism.change(func() { b.prism.vms[0].PrismElementUUID = "0e1e0e1e-0000-4000-8000-0000000000ff" })
	b.clock.Step(2 * namesLifetime)
	_, err = b.InstanceMetadata(context.Background(), registered())
	require.ErrorContains(t, err, "clustermgmt is away", "an unknown one is not guessed")
}

func TestInstanceTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		kind   config.InstanceType
		change func(*nutanix.VM)
		want   string
	}{
		"constant":        {config.InstanceTypeConstant, func(*nutanix.VM) {}, "ahv-vm"},
		"size":            {config.InstanceTypeSize, func(*nutanix.VM) {}, "ahv-4c-8g"},
		"threads":         {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.ThreadsPerCore = 2 }, "ahv-8c-8g"},
		"unknown threads": {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.ThreadsPerCore = 0 }, "ahv-4c-8g"},
		"parts of a GiB":  {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.MemoryBytes = 3 << 29 }, "ahv-4c-1.5g"},
		"unknown memory":  {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.MemoryBytes = 0 }, "ahv-vm"},
		"unknown sockets": {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.Sockets = 0 }, "ahv-vm"},
		"very little":     {config.InstanceTypeSize, func(vm *nutanix.VM) { vm.MemoryBytes = 1 }, "ahv-4c-0g"},
	} {
		t.Run(name, func(t *testing.T) {
			vm := worker()
			tc.change(&vm)
			assert.Equal(t, tc.want, instanceType(tc.kind, vm))
		})
	}
}
