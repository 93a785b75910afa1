package instance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// place is where a virtual machine runs, as label values. The zero value: unknown.
type place struct{ Zone, Region string }

// place tells zone and region. What cannot be told is a Problem.
func (i *Instances) place(ctx context.Context, discovery config.TopologyDiscovery, vm nutanix.VM) (place, error) {
	if discovery.Type != config.TopologyByCategory {
		return i.placeByPrism(ctx, vm)
	}
	if discovery.TopologyCategories == nil {
		return place{}, &Problem{ReasonTopology, "topologyDiscovery.type is Categories, and topologyCategories is missing: set it"}
	}
	region, err := i.placeByCategory(ctx, "region", discovery.TopologyCategories.RegionCategory, vm)
	if err != nil {
		return place{}, err
	}
	zone, err := i.placeByCategory(ctx, "zone", discovery.TopologyCategories.ZoneCategory, vm)
	if err != nil {
		return place{}, err
	}
	return place{Zone: zone, Region: region}, nil
}

// placeByPrism: the region is the name of the cluster that runs Prism Central, the zone that of the Prism Element.
func (i *Instances) placeByPrism(ctx context.Context, vm nutanix.VM) (place, error) {
	element, err := i.prismElement(ctx, vm)
	if err != nil {
		return place{}, err
	}
	elements, err := i.prismElements.get(ctx, func(all []nutanix.PrismElement) bool { return len(centrals(all)) == 1 })
	if err != nil {
		return place{}, fmt.Errorf("looking for the cluster that runs Prism Central: %w", err)
	}
	names := centrals(elements)
	if len(names) != 1 {
		return place{}, &Problem{ReasonTopology, fmt.Sprintf("the region is the name of the one cluster that runs Prism Central, and "+
			"there are %d: %q. Use topologyDiscovery.type Categories instead", len(names), names)}
	}
	where := place{Zone: labelValue(element.Name), Region: labelValue(names[0])}
	if where.Zone == "" || where.Region == "" {
		return place{}, &Problem{ReasonTopology, fmt.Sprintf("Prism Element %s is named %q and the cluster of Prism Central %q: zone and "+
			"region need both names", element.UUID, element.Name, names[0])}
	}
	return where, nil
}

// centrals are the names of the clusters that run Prism Central.
func centrals(elements []nutanix.PrismElement) []string {
	var names []string
	for _, element := range elements {
		if element.IsPrismCentral {
			names = append(names, element.Name)
		}
	}
	slices.Sort(names)
	return names
}

// prismElement gives the one that a virtual machine runs on.
func (i *Instances) prismElement(ctx context.Context, vm nutanix.VM) (nutanix.PrismElement, error) {
	isIt := func(e nutanix.PrismElement) bool { return e.UUID == vm.PrismElementUUID }
	if vm.PrismElementUUID == "" {
		return nutanix.PrismElement{}, &Problem{ReasonTopology, describeVM(vm) + " is on no Prism Element, as Prism Central says: wait, or " +
			"look at it in Prism Central"}
	}
	elements, err := i.prismElements.get(ctx, func(all []nutanix.PrismElement) bool { return slices.ContainsFunc(all, isIt) })
	if err != nil {
		return nutanix.PrismElement{}, fmt.Errorf("looking for Prism Element %s: %w", vm.PrismElementUUID, err)
	}
	at := slices.IndexFunc(elements, isIt)
	if at < 0 {
		return nutanix.PrismElement{}, &Problem{ReasonTopology, fmt.Sprintf("Prism Element %s of %s is not among those that may be read: "+
			"give the account the right to view clusters", vm.PrismElementUUID, describeVM(vm))}
	}
	return elements[at], nil
}

// placeByCategory gives the value of a category key that the virtual machine has, or else its Prism Element. A category of the
// virtual machine that was not there before may be a new value of the key.
func (i *Instances) placeByCategory(ctx context.Context, what, key string, vm nutanix.VM) (string, error) {
	element, elementErr := i.prismElement(ctx, vm)
	all, err := i.categories.get(ctx, key, func(all []nutanix.Category) bool {
		return len(valuesOf(all, vm.CategoryUUIDs)) > 0 || len(valuesOf(all, element.CategoryUUIDs)) > 0
	}, vm.CategoryUUIDs...)
	if err != nil {
		return "", fmt.Errorf("reading category %s for the %s: %w", key, what, err)
	}
	owner, values := describeVM(vm), valuesOf(all, vm.CategoryUUIDs)
	if len(values) == 0 && elementErr != nil {
		return "", elementErr
	}
	if len(values) == 0 {
		owner, values = fmt.Sprintf("Prism Element %s (%s)", element.UUID, element.Name), valuesOf(all, element.CategoryUUIDs)
	}
	switch len(values) {
	case 0:
		return "", &Problem{ReasonTopology, fmt.Sprintf("neither %s nor its Prism Element %s has a value of category %s, which is the %s: "+
			"assign one in Prism Central", describeVM(vm), element.Name, key, what)}
	case 1:
		return labelValue(values[0]), nil
	default:
		return "", &Problem{ReasonTopology, fmt.Sprintf("%s has several values of category %s, which is the %s: %s. Leave it one",
			owner, key, what, strings.Join(values, ", "))}
	}
}

// valuesOf gives the values, each once, of the categories with those UUIDs.
func valuesOf(all []nutanix.Category, uuids []string) []string {
	var values []string
	for _, category := range all {
		if category.Value != "" && slices.Contains(uuids, category.UUID) {
			values = append(values, category.Value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}
