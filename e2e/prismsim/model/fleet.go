package model

import (
	"fmt"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Fleet describes identical VMs that are created together, without requests and tasks.
type Fleet struct {
	Count        int               `json:"count"`
	NamePrefix   string            `json:"namePrefix"`   // each name consists of the prefix, a dash and a number that starts at 0
	PrismElement string            `json:"prismElement"` // name
	Subnets      []string          `json:"subnets"`      // names; one NIC each
	Categories   map[string]string `json:"categories,omitempty"`
	Sockets      int64             `json:"sockets,omitempty"`   // default 1
	MemoryMiB    int64             `json:"memoryMiB,omitempty"` // default 1024
	Off          bool              `json:"off,omitempty"`       // leave the VMs off
	Attributes   []string          `json:"customAttributes,omitempty"`
}

// AddVMs creates the VMs of a fleet. The caller must hold the mutex.
func (pc *Central) AddVMs(fleet Fleet) ([]VMView, error) {
	var out []VMView
	for i := range fleet.Count {
		body, err := pc.intentOf(fleet, fmt.Sprintf("%s-%d", fleet.NamePrefix, i))
		if err != nil {
			return out, err
		}
		m := pc.NewVM(body, time.Now().UTC().Truncate(time.Second))
		m.Pending++
		if failed := pc.FinishCreate(m); failed != nil {
			return out, fmt.Errorf("adding VM %s: %s", m.Spec.Name, failed.Detail)
		}
		m.V4.Attributes = fleet.Attributes
		out = append(out, m.View(pc))
	}
	return out, nil
}

// intentOf returns the validated request that a v3 client would send for one VM of a fleet.
func (pc *Central) intentOf(fleet Fleet, name string) (*wire.VMIntent, error) {
	pe := pc.PrismElementByName(fleet.PrismElement)
	if pe == nil {
		return nil, fmt.Errorf("adding VM %s: there is no Prism Element %q", name, fleet.PrismElement)
	}
	res := &wire.VMResources{
		NumSockets: new(max(fleet.Sockets, 1)), MemorySizeMiB: new(max(fleet.MemoryMiB, defaultMemoryMiB)), PowerState: wire.PowerOn,
	}
	if fleet.Off {
		res.PowerState = wire.PowerOff
	}
	for _, subnet := range fleet.Subnets {
		n := Find(pc.Subnets, func(n *Subnet) bool { return n.Name == subnet && (n.Element == nil || n.Element == pe) })
		if n == nil {
			return nil, fmt.Errorf("adding VM %s: Prism Element %s has no subnet %q", name, pe.Name, subnet)
		}
		res.NICList = append(res.NICList, wire.NIC{SubnetReference: &wire.Reference{Kind: "subnet", UUID: n.UUID}})
	}
	body := &wire.VMIntent{
		Metadata: &wire.Metadata{Kind: "vm", Categories: fleet.Categories},
		Spec:     &wire.VMSpec{Name: name, ClusterReference: pc.PrismElementReference(pe), Resources: res},
	}
	if err := pc.CheckIntent(body, nil); err != nil {
		return nil, fmt.Errorf("adding VM %s: %w", name, err)
	}
	return body, nil
}
