package provider

import "slices"

// Knows reports whether the table contains a class for an attribute of a resource type.
func (g *Generation) Knows(resourceType, attribute string) bool {
	_, known := g.disruption[resourceType][attribute]
	return known
}

// ListedAttributes returns the paths in all lists of attributes of a resource type.
func (g *Generation) ListedAttributes(resourceType string) []string {
	return slices.Concat(g.particular[resourceType], g.observed[resourceType], g.derived[resourceType], g.identifying[resourceType])
}
