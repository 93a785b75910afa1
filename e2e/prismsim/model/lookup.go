package model

import (
	"fmt"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
)

func (e *Central) PrismElementByName(name string) *inventory.PrismElement {
	return Find(e.PrismElements, func(pe *inventory.PrismElement) bool { return pe.Name == name })
}

func (e *Central) PrismElementByUUID(uuid string) *inventory.PrismElement {
	return Find(e.PrismElements, func(pe *inventory.PrismElement) bool { return pe.UUID == uuid })
}

func (e *Central) SubnetByUUID(uuid string) *Subnet {
	return Find(e.Subnets, func(n *Subnet) bool { return n.UUID == uuid })
}

func (e *Central) ImageByUUID(uuid string) *inventory.Image {
	return Find(e.Images.All, func(i *inventory.Image) bool { return i.UUID == uuid })
}

func (e *Central) ProjectByUUID(uuid string) *inventory.Project {
	return Find(e.Projects, func(p *inventory.Project) bool { return p.UUID == uuid })
}

func (e *Central) VMByUUID(uuid string) *VM {
	return Find(e.VMs.All, func(m *VM) bool { return m.UUID == uuid })
}

// ContainerByUUID gives a storage container of a Prism Element.
func ContainerByUUID(pe *inventory.PrismElement, uuid string) *inventory.StorageContainer {
	for i := range pe.StorageContainers {
		if pe.StorageContainers[i].UUID == uuid {
			return &pe.StorageContainers[i]
		}
	}
	return nil
}

// FreeUUID returns an error unless a text is a UUID that no VM has.
func (e *Central) FreeUUID(uuid string) error {
	if !inventory.IsUUID(uuid) {
		return fmt.Errorf("%q is not a UUID", uuid)
	}
	if e.VMByUUID(uuid) != nil {
		return fmt.Errorf("UUID %s belongs to another VM", uuid)
	}
	return nil
}

// Find gives the first element that fits, or nil.
func Find[T any](list []*T, fits func(*T) bool) *T {
	for _, item := range list {
		if fits(item) {
			return item
		}
	}
	return nil
}

func HostsOf(pe *inventory.PrismElement) []*inventory.Host {
	var hosts []*inventory.Host
	for i := range pe.Hosts {
		hosts = append(hosts, &pe.Hosts[i])
	}
	return hosts
}

func (e *Central) HostNamed(name string) (*inventory.PrismElement, *inventory.Host) {
	for _, pe := range e.PrismElements {
		for i := range pe.Hosts {
			if host := &pe.Hosts[i]; host.Name == name || host.UUID == name {
				return pe, host
			}
		}
	}
	return nil, nil
}

// Named is the name and the UUID of an entity.
type Named struct{ Name, UUID string }

// Names returns the entities of the inventory by kind (cluster, subnet, vpc, image, project, host, storage_container).
func (e *Central) Names(kind string) []Named {
	var out []Named
	add := func(name, uuid string) { out = append(out, Named{name, uuid}) }
	switch kind {
	case "cluster":
		for _, pe := range e.PrismElements {
			add(pe.Name, pe.UUID)
		}
		add(e.PrismCentral.Name, e.PrismCentral.UUID)
	case "subnet":
		for _, n := range e.Subnets {
			add(n.Name, n.UUID)
		}
	case "vpc":
		for _, v := range e.VPCs {
			add(v.Name, v.UUID)
		}
	case "image":
		for _, image := range e.Images.All {
			add(image.Name, image.UUID)
		}
	case "project":
		for _, p := range e.Projects {
			add(p.Name, p.UUID)
		}
	case "host", "storage_container":
		for _, pe := range e.PrismElements {
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

// SubnetNamed finds a subnet by name or UUID.
func (e *Central) SubnetNamed(text string) *Subnet {
	return Find(e.Subnets, func(n *Subnet) bool { return n.Name == text || n.UUID == text })
}
