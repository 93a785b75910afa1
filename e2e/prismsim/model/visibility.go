package model

import (
	"net/http"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Disconnection says how Prism Central shows the VMs of a Prism Element that it does not reach. The Prism Element itself stays
// in lists and is not available. Tasks on its VMs fail.
type Disconnection struct {
	// Listed leaves its VMs in lists, as they were. By default they are missing.
	Listed bool `json:"listed,omitempty"`
	// Status answers requests for one of its VMs: 404 (default), another 4xx or 5xx status, or 200 for the VM as it was.
	Status int `json:"status,omitempty"`
}

func (e *Central) Connected(pe *inventory.PrismElement) bool {
	_, lost := e.Disconnected[pe]
	return !lost
}

// Listable reports whether lists show a VM.
func (e *Central) Listable(m *VM) bool {
	how, lost := e.Disconnected[m.PrismElement]
	return m.Exists && (!lost || how.Listed)
}

// Unreachable returns the status that answers requests for a VM of a disconnected Prism Element, or 0.
func (e *Central) Unreachable(m *VM) int {
	how, lost := e.Disconnected[m.PrismElement]
	switch {
	case !lost || how.Status == http.StatusOK:
		return 0
	case how.Status == 0:
		return http.StatusNotFound
	}
	return how.Status
}

// Lost fails a task on a VM whose Prism Element is disconnected. The text is this package's own.
func (e *Central) Lost(m *VM) *TaskError {
	if e.Connected(m.PrismElement) {
		return nil
	}
	return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: Cluster " + m.PrismElement.UUID + " is not reachable."}
}

// Rights say what an account does not see. Lists leave out what is hidden. Reading, changing and deleting it is refused. The
// zero value hides nothing. Creating something that refers to what is hidden is not refused.
type Rights struct {
	// HiddenKinds are kinds of which the account sees nothing: vm, cluster, host, subnet, image, project, category,
	// storage_container, task, volume_group and so on: the names of the collections in the paths of the API, in the singular.
	HiddenKinds []string `json:"hiddenKinds,omitempty"`
	// Hidden are UUIDs of entities of any kind.
	Hidden []string `json:"hidden,omitempty"`
	// Status answers requests for what is hidden: 404 (default) or 403.
	Status int `json:"status,omitempty"`
}

func (r Rights) Hides(kind, id string) bool {
	return slices.Contains(r.HiddenKinds, kind) || slices.Contains(r.Hidden, strings.ToLower(id))
}

// SettingsFor returns the rules, and the rights of an account.
func (e *Central) SettingsFor(account string) (Rules, Rights) {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	return e.Rules, e.Rights[account]
}

// KindOf returns the kind of the entities that a path is about: the last collection in it, in the singular.
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

// Refusal is how v3 answers a request for what is hidden. Reason and text of 403 are this package's own.
func (r Rights) Refusal(kind, id string) *wire.Error {
	if r.Status == http.StatusForbidden {
		return &wire.Error{
			Status: http.StatusForbidden, Kind: kind, Reason: "ACCESS_DENIED", Message: "No permission to access the " + kind + " " + id + ".",
		}
	}
	return wire.NotFound(kind, "The "+kind+" "+id)
}
