package prismsim

import (
	"fmt"
	"net/http"
)

// Disconnection says how Prism Central shows the VMs of a Prism Element that it does not reach. The Prism Element itself stays
// in lists and is not available. Tasks on its VMs fail.
type Disconnection struct {
	// Listed leaves its VMs in lists, as they were. By default they are missing.
	Listed bool `json:"listed,omitempty"`
	// Status answers requests for one of its VMs: 404 (default), another 4xx or 5xx status, or 200 for the VM as it was.
	Status int `json:"status,omitempty"`
}

// DisconnectPrismElement makes Prism Central lose a Prism Element, named by name. Its VMs run on.
func (c *control) DisconnectPrismElement(name string, how Disconnection) error {
	if how.Status != 0 && how.Status != http.StatusOK && (how.Status < 400 || how.Status > 599) {
		return fmt.Errorf("disconnecting Prism Element %q: status %d is neither 200 nor between 400 and 599", name, how.Status)
	}
	return c.changeConnection(name, &how)
}

// ReconnectPrismElement ends a disconnection.
func (c *control) ReconnectPrismElement(name string) error { return c.changeConnection(name, nil) }

func (c *control) changeConnection(name string, how *Disconnection) error {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	pe := c.estate.elementByName(name)
	if pe == nil {
		return notFound("cluster", "The cluster "+name)
	}
	if c.estate.disconnected == nil {
		c.estate.disconnected = map[*PrismElement]Disconnection{}
	}
	delete(c.estate.disconnected, pe)
	if how != nil {
		c.estate.disconnected[pe] = *how
	}
	return nil
}

func (e *estate) connected(pe *PrismElement) bool {
	_, lost := e.disconnected[pe]
	return !lost
}

// listable reports whether lists show a VM.
func (e *estate) listable(m *machine) bool {
	how, lost := e.disconnected[m.element]
	return m.exists && (!lost || how.Listed)
}

// unreachable returns the status that answers requests for a VM of a disconnected Prism Element, or 0.
func (e *estate) unreachable(m *machine) int {
	how, lost := e.disconnected[m.element]
	switch {
	case !lost || how.Status == http.StatusOK:
		return 0
	case how.Status == 0:
		return http.StatusNotFound
	}
	return how.Status
}

// lost fails a task on a VM whose Prism Element is disconnected. The text is this package's own.
func (e *estate) lost(m *machine) *taskError {
	if e.connected(m.element) {
		return nil
	}
	return &taskError{code: "INTERNAL_ERROR", detail: "INTERNAL_ERROR: Cluster " + m.element.UUID + " is not reachable."}
}

// connectionControl adds the control endpoints of connections.
func (c *control) connectionControl(handle func(pattern string, e endpoint)) {
	handle("POST /sim/clusters/{name}/disconnect", func(r *http.Request) (int, any, error) {
		var how Disconnection
		if err := readControl(r, &how); err != nil {
			return 0, nil, err
		}
		if err := c.DisconnectPrismElement(r.PathValue("name"), how); err != nil {
			return 0, nil, controlError(err)
		}
		return http.StatusNoContent, nil, nil
	})
	handle("POST /sim/clusters/{name}/reconnect", func(r *http.Request) (int, any, error) {
		if err := c.ReconnectPrismElement(r.PathValue("name")); err != nil {
			return 0, nil, err
		}
		return http.StatusNoContent, nil, nil
	})
}
