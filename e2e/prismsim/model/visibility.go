package model

import (
	"net/http"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Disconnection determines how Prism Central shows the VMs of a Prism Element that it cannot reach. Lists still contain
// the Prism Element, which is shown as not available. Tasks that change its VMs fail.
type Disconnection struct {
	// Listed keeps the VMs of the Prism Element in lists. By default lists omit them.
	Listed bool `json:"listed,omitempty"`
	// Status is the HTTP status of responses to requests for a VM of the Prism Element: 404 (default), another 4xx or
	// 5xx status, or 200 with the last known state.
	Status int `json:"status,omitempty"`
}

// Connected reports whether Prism Central can reach a Prism Element.
func (pc *Central) Connected(pe *inventory.PrismElement) bool {
	_, lost := pc.Disconnected[pe]
	return !lost
}

// Listable reports whether lists contain a VM.
func (pc *Central) Listable(m *VM) bool {
	how, lost := pc.Disconnected[m.PrismElement]
	return m.Exists && (!lost || how.Listed)
}

// Unreachable returns the HTTP status of responses to requests for a VM of a disconnected Prism Element, or 0 if the
// Prism Element is connected.
func (pc *Central) Unreachable(m *VM) int {
	how, lost := pc.Disconnected[m.PrismElement]
	switch {
	case !lost || how.Status == http.StatusOK:
		return 0
	case how.Status == 0:
		return http.StatusNotFound
	}
	return how.Status
}

// UnreachableError returns the error of a task that changes a VM of a disconnected Prism Element, or nil if the Prism
// Element is connected. This package defines the message.
func (pc *Central) UnreachableError(m *VM) *TaskError {
	if pc.Connected(m.PrismElement) {
		return nil
	}
	return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: Cluster " + m.PrismElement.UUID + " is not reachable."}
}

// Rights determines which entities are hidden from an account. Lists omit hidden entities, and requests that read,
// change or delete them fail. A request that creates an entity may refer to a hidden entity. The zero value hides
// nothing.
type Rights struct {
	// HiddenKinds hides all entities of the given kinds: vm, cluster, host, subnet, image, project, category,
	// storage_container, task, volume_group and so on. A kind is the singular of a collection name in the paths of the
	// API.
	HiddenKinds []string `json:"hiddenKinds,omitempty"`
	// Hidden contains the UUIDs of further hidden entities of any kind.
	Hidden []string `json:"hidden,omitempty"`
	// Status is the HTTP status of responses to requests for hidden entities: 404 (default) or 403.
	Status int `json:"status,omitempty"`
}

// Hides reports whether the entity with the kind and the ID is hidden.
func (r Rights) Hides(kind, id string) bool {
	return slices.Contains(r.HiddenKinds, kind) || slices.Contains(r.Hidden, strings.ToLower(id))
}

// SettingsFor returns the current rules and the rights of an account.
func (pc *Central) SettingsFor(account string) (Rules, Rights) {
	pc.Mu.Lock()
	defer pc.Mu.Unlock()
	return pc.Rules, pc.Rights[account]
}

// KindOf returns the singular of the last collection name in a path.
func KindOf(path string) string {
	kind := ""
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case strings.HasPrefix(segment, "$") || segment == "list":
			return kind
		case segment == "projects_internal":
			return "project"
		case strings.HasSuffix(segment, "ies"):
			kind = strings.TrimSuffix(segment, "ies") + "y"
		case strings.HasSuffix(segment, "s"):
			kind = strings.ReplaceAll(strings.TrimSuffix(segment, "s"), "-", "_")
		}
	}
	return kind
}

// Refusal returns the v3 error response to a request for a hidden entity. For status 403, this package defines the
// reason and the message.
func (r Rights) Refusal(kind, id string) *wire.Error {
	if r.Status == http.StatusForbidden {
		return &wire.Error{
			Status: http.StatusForbidden, Kind: kind, Reason: "ACCESS_DENIED", Message: "No permission to access the " + kind + " " + id + ".",
		}
	}
	return wire.NotFound(kind, "The "+kind+" "+id)
}
