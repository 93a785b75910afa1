package prismsim

import (
	"fmt"
	"time"
)

// Fleet describes equal VMs that are made at once, without requests and tasks.
type Fleet struct {
	Count        int               `json:"count"`
	NamePrefix   string            `json:"namePrefix"`   // names are prefix, dash and a number from 0
	PrismElement string            `json:"prismElement"` // name
	Subnets      []string          `json:"subnets"`      // names; one NIC each
	Categories   map[string]string `json:"categories,omitempty"`
	Sockets      int64             `json:"sockets,omitempty"`   // default 1
	MemoryMiB    int64             `json:"memoryMiB,omitempty"` // default 1024
	Off          bool              `json:"off,omitempty"`       // do not switch them on
	Attributes   []string          `json:"customAttributes,omitempty"`
}

// AddVMs makes the VMs of a fleet. When one cannot be made (its subnet has no address left, the memory is used up) those
// before it stay and the error says why.
func (c *control) AddVMs(fleet Fleet) ([]VM, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.addVMs(fleet)
}

func (e *estate) addVMs(fleet Fleet) ([]VM, error) {
	var out []VM
	for i := range fleet.Count {
		body, err := e.intentOf(fleet, fmt.Sprintf("%s-%d", fleet.NamePrefix, i))
		if err != nil {
			return out, err
		}
		m := e.newMachine(body, time.Now().UTC().Truncate(time.Second))
		m.pending++
		if failed := e.finishCreate(m); failed != nil {
			return out, fmt.Errorf("adding VM %s: %s", m.spec.Name, failed.detail)
		}
		m.v4.attributes = fleet.Attributes
		out = append(out, m.export(e))
	}
	return out, nil
}

// intentOf makes and checks what a v3 client would send for one VM of a fleet.
func (e *estate) intentOf(fleet Fleet, name string) (*vmIntent, error) {
	pe := e.elementByName(fleet.PrismElement)
	if pe == nil {
		return nil, fmt.Errorf("adding VM %s: there is no Prism Element %q", name, fleet.PrismElement)
	}
	res := &vmResources{
		NumSockets: new(max(fleet.Sockets, 1)), MemorySizeMiB: new(max(fleet.MemoryMiB, defaultMemoryMiB)), PowerState: powerOn,
	}
	if fleet.Off {
		res.PowerState = powerOff
	}
	for _, subnet := range fleet.Subnets {
		n := find(e.subnets, func(n *network) bool { return n.Name == subnet && (n.element == nil || n.element == pe) })
		if n == nil {
			return nil, fmt.Errorf("adding VM %s: Prism Element %s has no subnet %q", name, pe.Name, subnet)
		}
		res.NICList = append(res.NICList, nic{SubnetReference: &reference{Kind: "subnet", UUID: n.UUID}})
	}
	body := &vmIntent{
		Metadata: &metadata{Kind: "vm", Categories: fleet.Categories},
		Spec:     &vmSpec{Name: name, ClusterReference: e.elementReference(pe), Resources: res},
	}
	if err := e.checkIntent(body, nil); err != nil {
		return nil, fmt.Errorf("adding VM %s: %w", name, err)
	}
	return body, nil
}
