package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// VMChange is a change of a VM by an operator or another program. Fields that are nil change nothing.
type VMChange struct {
	Name           *string `json:"name,omitempty"`
	Description    *string `json:"description,omitempty"`
	BIOSUUID       *string `json:"biosUUID,omitempty"`
	MemoryMiB      *int64  `json:"memoryMiB,omitempty"`
	Sockets        *int64  `json:"sockets,omitempty"`
	VCPUsPerSocket *int64  `json:"vcpusPerSocket,omitempty"`
	// Categories contains values by key and replaces the VM's values of these keys. If the list of values is empty, the
	// key is removed from the VM. Other keys stay. Categories that do not exist are created.
	Categories map[string][]string `json:"categories,omitempty"`
	// KeepSpecVersion leaves spec_version unchanged, as changes through a Prism Element may do. By default the change
	// increments spec_version, like an update by another v3 client.
	KeepSpecVersion bool `json:"keepSpecVersion,omitempty"`
}

// ApplyChange changes a VM. The caller must hold the mutex.
func (pc *Central) ApplyChange(m *VM, change VMChange) {
	change.apply(&m.Spec)
	if m.Live.Resources != nil {
		change.apply(&m.Live)
	}
	if change.BIOSUUID != nil {
		m.BIOS = strings.ToLower(*change.BIOSUUID)
	}
	for _, key := range slices.Sorted(maps.Keys(change.Categories)) {
		values := change.Categories[key]
		if len(values) > 0 {
			pc.AddCategory(inventory.Category{Key: key, Values: values})
		}
		m.Categories.Set(key, values)
	}
	if !change.KeepSpecVersion {
		m.Version++
	}
	m.Updated = time.Now().UTC().Truncate(time.Second)
}

// Check returns an error if a value is not valid.
func (c VMChange) Check() error {
	if c.Name != nil && *c.Name == "" {
		return fmt.Errorf("the name is empty")
	}
	if c.BIOSUUID != nil && !inventory.IsUUID(strings.ToLower(*c.BIOSUUID)) {
		return fmt.Errorf("BIOS UUID %q is not a UUID", *c.BIOSUUID)
	}
	for name, size := range map[string]*int64{"memoryMiB": c.MemoryMiB, "sockets": c.Sockets, "vcpusPerSocket": c.VCPUsPerSocket} {
		if size != nil && *size < 1 {
			return fmt.Errorf("%s %d is less than 1", name, *size)
		}
	}
	return nil
}

func (c VMChange) apply(spec *wire.VMSpec) {
	spec.Name, spec.Description = wire.ValueOr(c.Name, spec.Name), wire.ValueOr(c.Description, spec.Description)
	for _, size := range []struct {
		want *int64
		have **int64
	}{
		{c.MemoryMiB, &spec.Resources.MemorySizeMiB},
		{c.Sockets, &spec.Resources.NumSockets},
		{c.VCPUsPerSocket, &spec.Resources.NumVCPUsPerSocket},
	} {
		if size.want != nil {
			*size.have = new(*size.want)
		}
	}
}
