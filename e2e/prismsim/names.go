package prismsim

// named is the name and the UUID of an entity.
type named struct{ name, uuid string }

// names returns the entities of the inventory by kind (cluster, subnet, vpc, image, project, host, storage_container).
func (e *estate) names(kind string) []named {
	var out []named
	add := func(name, uuid string) { out = append(out, named{name, uuid}) }
	switch kind {
	case "cluster":
		for _, pe := range e.elements {
			add(pe.Name, pe.UUID)
		}
		add(e.central.Name, e.central.UUID)
	case "subnet":
		for _, n := range e.subnets {
			add(n.Name, n.UUID)
		}
	case "vpc":
		for _, v := range e.vpcs {
			add(v.Name, v.UUID)
		}
	case "image":
		for _, image := range e.images.all {
			add(image.Name, image.UUID)
		}
	case "project":
		for _, p := range e.projects {
			add(p.Name, p.UUID)
		}
	case "host", "storage_container":
		for _, pe := range e.elements {
			if kind == "host" {
				for _, host := range pe.Hosts {
					add(host.Name, host.UUID)
				}
				continue
			}
			for _, container := range pe.StorageContainers {
				add(container.Name, container.UUID)
			}
		}
	}
	return out
}
