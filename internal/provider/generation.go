// Package provider describes how the generations of the nutanix Terraform provider differ.
package provider

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-version"
)

// Generation describes provider versions with the same behavior. It contains the disruption class of each change and the requests that
// the provider sends with every update.
type Generation struct {
	name string
	// versions is the version constraint that defines the generation.
	versions   version.Constraints
	disruption table

	// SwitchesOnWithEveryUpdate is true if the provider ends each update of a virtual machine with a request to switch the machine on.
	SwitchesOnWithEveryUpdate bool
}

// generations lists all supported generations. Each version is part of at most one generation.
var generations = []*Generation{
	{
		name:                      "1.9",
		versions:                  version.MustConstraints(version.NewConstraint(">= 1.9.5, < 2.0.0")),
		disruption:                v3Disruption(),
		SwitchesOnWithEveryUpdate: true,
	},
	{
		name:     "2.x with v3 resources",
		versions: version.MustConstraints(version.NewConstraint(">= 2.0.0, < 3.0.0")),
		// Since 2.0 the provider can set the power state.
		disruption: v3Disruption().with(virtualMachine, "power_state", PowerCycle),
	},
}

// ForVersion returns the generation of an exact provider version such as "1.9.5". It returns an error if the version is invalid or if the
// modules do not support it.
func ForVersion(exact string) (*Generation, error) {
	parsed, err := version.NewSemver(exact)
	if err != nil {
		return nil, fmt.Errorf("reading provider version %q: %w", exact, err)
	}
	if strings.HasPrefix(exact, "v") {
		return nil, fmt.Errorf("reading provider version %q: leave out the v", exact)
	}
	for _, generation := range generations {
		if generation.versions.Check(parsed.Core()) {
			return generation, nil
		}
	}
	return nil, fmt.Errorf("finding the generation of provider version %s: it is not supported: use a version from 1.9.5 to below 3.0.0", exact)
}

// Disruption returns the class of a change of one attribute of a resource type such as nutanix_virtual_machine. attribute is a name such
// as memory_size_mib, or a path that starts with a name, such as disk_list[0].disk_size_mib. If the resource type or the attribute is
// unknown, the class is Replace.
func (g *Generation) Disruption(resourceType, attribute string) Class {
	return g.disruption.class(resourceType, attribute)
}

// String returns the name of the generation for messages.
func (g *Generation) String() string { return g.name }
