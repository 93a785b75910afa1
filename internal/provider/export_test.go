package provider

// Knows reports whether the table contains a class for an attribute of a resource type.
func (g *Generation) Knows(resourceType, attribute string) bool {
	_, known := g.disruption[resourceType][attribute]
	return known
}
