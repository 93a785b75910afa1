package prism

import (
	"context"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindSubnet is the name of the kind subnet in errors.
const KindSubnet = "subnet"

// subnet is a subnet with references to the Prism Elements on which it exists. An overlay subnet exists on all Prism Elements.
type subnet struct {
	Entity
	overlay       bool
	prismElements []reference
}

// Subnet returns the subnet that id identifies, for a VM on the given Prism Element. Names are case-sensitive. An overlay subnet can be
// used on every Prism Element. If the subnet is a VLAN that exists only on other Prism Elements, Subnet returns a
// *WrongPrismElementError.
func (c *Client) Subnet(ctx context.Context, id infrav1.NutanixResourceIdentifier, prismElementUUID string) (Entity, error) {
	wanted, err := identify(id, "subnet")
	if err != nil {
		return Entity{}, err
	}
	choose := func(subnets []subnet) (Entity, error) {
		candidates := distinct(subnets, func(subnet subnet) bool { return wanted.is(subnet.Entity, sameCase) })
		usable := distinct(candidates, func(subnet subnet) bool { return usableOn(subnet, prismElementUUID) })
		if len(usable) == 0 && len(candidates) > 0 {
			return Entity{}, &WrongPrismElementError{Subnet: wanted.String(), Want: prismElementUUID, Have: prismElementsOf(candidates)}
		}
		found, err := single(usable, KindSubnet, wanted)
		return found.Entity, err
	}
	return findEntity(ctx, c, KindSubnet, wanted, c.api.subnets(wanted), choose)
}

func usableOn(subnet subnet, prismElementUUID string) bool {
	return subnet.overlay || slices.ContainsFunc(subnet.prismElements, func(element reference) bool {
		return element.UUID != "" && strings.EqualFold(element.UUID, prismElementUUID)
	})
}

// prismElementsOf returns the sorted names of the Prism Elements on which the subnets exist.
func prismElementsOf(subnets []subnet) []string {
	var names []string
	for _, subnet := range subnets {
		for _, element := range subnet.prismElements {
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
