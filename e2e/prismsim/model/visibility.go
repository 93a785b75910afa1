package model

import (
	"net/http"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Disconnection configures how Prism Central shows the VMs of a Prism Element that it cannot reach. The Prism Element
// stays in lists and is shown as not available. Tasks on its VMs fail.
type Disconnection struct {
	// Listed keeps its VMs in lists. By default they are missing.
	Listed bool `json:"listed,omitempty"`
	// Status is the status of responses to requests for its VMs: 404 (default), another 4xx or 5xx status, or 200 for the last state.
	Status int `json:"status,omitempty"`
}

// Connected reports whether Prism Central reaches a Prism Element.
func (pc *Central) Connected(pe *inventory.PrismElement) bool {
	_, lost := pc.Disconnected[pe]
	return !lost
}

// Listable reports whether lists show a VM.
func (pc *Central) Listable(m *VM) bool {
	how, lost := pc.Disconnected[m.PrismElement]
	return m.Exists && (!lost || how.Listed)
}

// Unreachable returns the status of responses to requests for a VM of a disconnected Prism Element, or 0.
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

// UnreachableError returns the error of a task on a VM of a disconnected Prism Element, or nil. The message is this package's own.
func (pc *Central) UnreachableError(m *VM) *TaskError {
	if pc.Connected(m.PrismElement) {
		return nil
	}
	return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: Cluster " + m.PrismElement.UUID + " is not reachable."}
}

// Rights say which entities are hidden from an account. Lists leave them out, and reading, changing and deleting them is refused.
// Creating something that refers to them is not refused. The zero value hides nothing.
type Rights struct {
	// HiddenKinds hides all entities of some kinds: vm, cluster, host, subnet, image, project, category, storage_container, task,
	// volume_group and so on. A kind is the name of a collection in the paths of the API, in the singular.
	HiddenKinds []string `json:"hiddenKinds,omitempty"`
	// Hidden hides entities of any kind by UUID.
	Hidden []string `json:"hidden,omitempty"`
	// Status is the status of responses to requests for hidden entities: 404 (default) or 403.
	Status int `json:"status,omitempty"`
}

// Hides reports whether an entity is hidden.
func (r Rights) Hides(kind, id string) bool {
	return slices.Contains(r.HiddenKinds, kind) || slices.Contains(r.Hidden, strings.ToLower(id))
}

// SettingsFor returns the rules, and the rights of an account.
func (pc *Central) SettingsFor(account string) (Rules, Rights) {
	pc.Mu.Lock()
	defer pc.Mu.Unlock()
	return pc.Rules, pc.Rights[account]
}

// KindOf returns the name of the last collection in a path, in the singular.
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

// Refusal returns the refusal of a request for a hidden entity in the form of v3. Reason and message of 403 are this package's own.
func (r Rights) Refusal(kind, id string) *wire.Error {
	if r.Status == http.StatusForbidden {
		return &wire.Error{
			Status: http.StatusForbidden, Kind: kind, Reason: "ACCESS_DENIED", Message: "No permission to access the " + kind + " " + id + ".",
		}
	}
	return wire.NotFound(kind, "The "+kind+" "+id)
}
