// Package provider describes how the generations of the nutanix Terraform provider differ.
package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
)

// Generation describes provider versions with the same behavior. It contains the disruption class of each change, the roles of attributes
// in digests, the requests that the provider sends with every update, and the memory that it needs.
type Generation struct {
	name string
	// versions is the version constraint that defines the generation.
	versions   version.Constraints
	disruption table
	// particular, observed, derived and identifying list attributes, see the methods with these names.
	particular, observed, derived, identifying attributes
	// expendable lists resources as type.name, see Expendable.
	expendable []string

	// V4 is true if the modules for the v4 API support the provider.
	V4 bool
	// SwitchesOnWithEveryUpdate is true if the provider ends each update of a virtual machine with a request to switch the machine on.
	SwitchesOnWithEveryUpdate bool
	// MemoryLimit is the GOMEMLIMIT of Terraform and of the provider in MiB. Most of the memory contains the schemas of the provider. With
	// a lower limit, the processes need much more CPU time to collect garbage.
	MemoryLimit int
}

// RunMemory returns the memory in MiB that a run needs: the limits of one Terraform and one provider process. It does not include the
// program text, which all processes share.
func (g *Generation) RunMemory() int { return 2 * g.MemoryLimit }

// MaxRunMemory returns the memory in MiB that a run needs with any supported provider version.
func MaxRunMemory() int {
	highest := 0
	for _, generation := range generations {
		highest = max(highest, generation.RunMemory())
	}
	return highest
}

// generations lists all supported generations. Each version is part of at most one generation.
var generations = []*Generation{
	{
		name:                      "1.9",
		versions:                  version.MustConstraints(version.NewConstraint(">= 1.9.5, < 2.0.0")),
		disruption:                v3Disruption(),
		particular:                v3Particular(),
		observed:                  v3Observed(),
		derived:                   v3Derived(),
		identifying:               v3Identifying(),
		SwitchesOnWithEveryUpdate: true,
		MemoryLimit:               32,
	},
	{
		name:        "2.0 to 2.3",
		versions:    version.MustConstraints(version.NewConstraint(">= 2.0.0, < 2.4.0")),
		disruption:  v3DisruptionSince2(),
		particular:  v3Particular(),
		observed:    v3Observed(),
		derived:     v3Derived(),
		identifying: v3Identifying(),
		MemoryLimit: 48,
	},
	{
		// A plan can contain resources of both APIs.
		name:        "2.4 and later",
		versions:    version.MustConstraints(version.NewConstraint(">= 2.4.0, < 3.0.0")),
		disruption:  v3DisruptionSince2().join(v4Disruption()),
		particular:  v3Particular().join(v4Particular()),
		observed:    v3Observed().join(v4Observed()),
		derived:     v3Derived().join(v4Derived()),
		identifying: v3Identifying().join(v4Identifying()),
		expendable:  v4Expendable(),
		V4:          true,
		MemoryLimit: 48,
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

// Expendable reports whether a plan may destroy a resource without affecting a virtual machine. Prism Central itself refuses to delete a
// category that a machine has. name is the name of the resource in its module.
func (g *Generation) Expendable(resourceType, name string) bool {
	return slices.Contains(g.expendable, resourceType+"."+name)
}

// String returns the name of the generation for messages.
func (g *Generation) String() string { return g.name }
