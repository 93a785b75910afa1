package prism

import (
	"context"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindSubnet is the name of the kind subnet in errors.
const KindSubnet = "subnet"

type subnetResources struct {
	SubnetType           string      `json:"subnet_type"`
	ClusterReferenceList []reference `json:"cluster_reference_list"`
}

// Subnet returns the subnet that id identifies, for a VM on the given Prism Element. Names are case-sensitive. An overlay subnet can be
// used on every Prism Element. If the subnet is a VLAN that exists only on other Prism Elements, Subnet returns a
// *WrongPrismElementError.
func (c *Client) Subnet(ctx context.Context, id infrav1.NutanixResourceIdentifier, prismElementUUID string) (Entity, error) {
	wanted, err := identify(id, "subnet")
	if err != nil {
		return Entity{}, err
	}
	choose := func(subnets []intent[subnetResources]) (Entity, error) {
		candidates := distinct(subnets, func(subnet intent[subnetResources]) bool {
			return wanted.uuid != "" || subnet.name() == wanted.name && !subnet.beingDeleted()
		})
		usable := distinct(candidates, func(subnet intent[subnetResources]) bool { return usableOn(subnet, prismElementUUID) })
		if len(usable) == 0 && len(candidates) > 0 {
			return Entity{}, &WrongPrismElementError{Subnet: wanted.String(), Want: prismElementUUID, Have: prismElementsOf(candidates)}
		}
		found, err := single(usable, uuidOf, KindSubnet, wanted)
		return found.entity(), err
	}
	return findEntity(ctx, c, cachedSubnets, KindSubnet, wanted, equals("name", wanted.name), choose)
}

// prismElements returns references to the Prism Elements on which a subnet exists. If there are several, the subnet contains a list of
// references.
func prismElements(subnet intent[subnetResources]) []reference {
	return slices.Concat([]reference{subnet.Status.ClusterReference}, subnet.Status.ClusterReferenceList, subnet.Status.Resources.ClusterReferenceList)
}

func usableOn(subnet intent[subnetResources], prismElementUUID string) bool {
	if strings.EqualFold(subnet.Status.Resources.SubnetType, "OVERLAY") {
		return true
	}
	return slices.ContainsFunc(prismElements(subnet), func(element reference) bool {
		return element.UUID != "" && strings.EqualFold(element.UUID, prismElementUUID)
	})
}

// prismElementsOf returns the sorted names of the Prism Elements on which the subnets exist.
func prismElementsOf(subnets []intent[subnetResources]) []string {
	var names []string
	for _, subnet := range subnets {
		for _, element := range prismElements(subnet) {
			switch {
			case element.Name != "":
				names = append(names, element.Name)
			case element.UUID != "":
				names = append(names, element.UUID)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
