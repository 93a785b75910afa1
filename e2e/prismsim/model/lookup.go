package model

import (
	"fmt"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
)

// PrismElementByName returns the Prism Element with the name, or nil if it does not exist.
func (pc *Central) PrismElementByName(name string) *inventory.PrismElement {
	return Find(pc.PrismElements, func(pe *inventory.PrismElement) bool { return pe.Name == name })
}

// PrismElementByUUID returns the Prism Element with the UUID, or nil if it does not exist.
func (pc *Central) PrismElementByUUID(uuid string) *inventory.PrismElement {
	return Find(pc.PrismElements, func(pe *inventory.PrismElement) bool { return pe.UUID == uuid })
}

// SubnetByUUID returns the subnet with the UUID, or nil if it does not exist.
func (pc *Central) SubnetByUUID(uuid string) *Subnet {
	return Find(pc.Subnets, func(n *Subnet) bool { return n.UUID == uuid })
}

// ImageByUUID returns the image with the UUID, or nil if it does not exist.
func (pc *Central) ImageByUUID(uuid string) *inventory.Image {
	return Find(pc.Images.All, func(i *inventory.Image) bool { return i.UUID == uuid })
}

// ProjectByUUID returns the project with the UUID, or nil if it does not exist.
func (pc *Central) ProjectByUUID(uuid string) *inventory.Project {
	return Find(pc.Projects, func(p *inventory.Project) bool { return p.UUID == uuid })
}

// VMByUUID returns the VM with the UUID, or nil if it does not exist.
func (pc *Central) VMByUUID(uuid string) *VM {
	return Find(pc.VMs.All, func(m *VM) bool { return m.UUID == uuid })
}

// ContainerByUUID returns the storage container of pe with the UUID, or nil if it does not exist.
func ContainerByUUID(pe *inventory.PrismElement, uuid string) *inventory.StorageContainer {
	for i := range pe.StorageContainers {
		if pe.StorageContainers[i].UUID == uuid {
			return &pe.StorageContainers[i]
		}
	}
	return nil
}

// FreeUUID returns an error if uuid is not a valid UUID or a VM already has it.
func (pc *Central) FreeUUID(uuid string) error {
	if !inventory.IsUUID(uuid) {
		return fmt.Errorf("%q is not a UUID", uuid)
	}
	if pc.VMByUUID(uuid) != nil {
		return fmt.Errorf("UUID %s belongs to another VM", uuid)
	}
	return nil
}

// Find returns the first element of list for which fits returns true, or nil if there is no such element.
func Find[T any](list []*T, fits func(*T) bool) *T {
	for _, item := range list {
		if fits(item) {
			return item
		}
	}
	return nil
}

// HostsOf returns the hosts of a Prism Element.
func HostsOf(pe *inventory.PrismElement) []*inventory.Host {
	var hosts []*inventory.Host
	for i := range pe.Hosts {
		hosts = append(hosts, &pe.Hosts[i])
	}
	return hosts
}

// HostNamed looks up a host by name or UUID. It returns the Prism Element of the host and the host. Both are nil if the
// host does not exist.
func (pc *Central) HostNamed(name string) (*inventory.PrismElement, *inventory.Host) {
	for _, pe := range pc.PrismElements {
		for i := range pe.Hosts {
			if host := &pe.Hosts[i]; host.Name == name || host.UUID == name {
				return pe, host
			}
		}
	}
	return nil, nil
}

// Named contains the name and the UUID of an entity.
type Named struct{ Name, UUID string }

// Names returns the inventory entities of a kind (cluster, subnet, vpc, image, project, host, storage_container).
func (pc *Central) Names(kind string) []Named {
	var out []Named
	add := func(name, uuid string) { out = append(out, Named{name, uuid}) }
	switch kind {
	case "cluster":
		for _, pe := range pc.PrismElements {
			add(pe.Name, pe.UUID)
		}
		add(pc.PrismCentral.Name, pc.PrismCentral.UUID)
	case "subnet":
		for _, n := range pc.Subnets {
			add(n.Name, n.UUID)
		}
	case "vpc":
		for _, v := range pc.VPCs {
			add(v.Name, v.UUID)
		}
	case "image":
		for _, image := range pc.Images.All {
			add(image.Name, image.UUID)
		}
	case "project":
		for _, p := range pc.Projects {
			add(p.Name, p.UUID)
		}
	case "host", "storage_container":
		for _, pe := range pc.PrismElements {
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

// SubnetNamed returns the subnet with the name or UUID text, or nil if it does not exist.
func (pc *Central) SubnetNamed(text string) *Subnet {
	return Find(pc.Subnets, func(n *Subnet) bool { return n.Name == text || n.UUID == text })
}
