package model

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// RelAntiAffinityPolicy is the type of anti-affinity policies in the entities of a task.
const RelAntiAffinityPolicy = "vmm:ahv:policies:vm-anti-affinity-policy"

// AntiAffinityPolicy keeps the VMs with the same category on different hosts as far as there are enough hosts.
type AntiAffinityPolicy struct {
	UUID, Name, Description string
	Categories              []string // v4 IDs
	Created, Updated        time.Time
	Revision                Revision
}

// AntiAffinityPolicyView is a copy of an anti-affinity policy for tests.
type AntiAffinityPolicyView struct {
	UUID        string   `json:"uuid"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Categories  []string `json:"categories"` // v4 IDs
}

// AddAntiAffinityPolicy adds a policy with a new UUID.
func (pc *Central) AddAntiAffinityPolicy(p *AntiAffinityPolicy) {
	p.UUID, p.Created, p.Updated = uuid.NewString(), time.Now().UTC(), time.Now().UTC()
	pc.Policies.Add(p)
}

// AntiAffinityPolicyByUUID returns the policy with the UUID, or nil if it does not exist.
func (pc *Central) AntiAffinityPolicyByUUID(id string) *AntiAffinityPolicy {
	return Find(pc.Policies.All, func(p *AntiAffinityPolicy) bool { return p.UUID == id })
}

// PoliciesWith returns the policies that refer to a category.
func (pc *Central) PoliciesWith(category string) []*AntiAffinityPolicy {
	return slices.DeleteFunc(slices.Clone(pc.Policies.All), func(p *AntiAffinityPolicy) bool { return !slices.Contains(p.Categories, category) })
}

// AntiAffinityPolicyViews returns copies of all policies in order of creation.
func (pc *Central) AntiAffinityPolicyViews() []AntiAffinityPolicyView {
	out := []AntiAffinityPolicyView{}
	for _, p := range pc.Policies.All {
		out = append(out, AntiAffinityPolicyView{UUID: p.UUID, Name: p.Name, Description: p.Description, Categories: slices.Clone(p.Categories)})
	}
	return out
}

// Separates returns the category because of which a policy keeps two VMs apart, or an empty string.
func (pc *Central) Separates(p *AntiAffinityPolicy, a, b *VM) string {
	have := pc.CategoryIDs(b.Categories)
	for _, id := range pc.CategoryIDs(a.Categories) {
		if slices.Contains(p.Categories, id) && slices.Contains(have, id) {
			return id
		}
	}
	return ""
}

// Violations returns the number of other VMs on a host from which the policies keep the VM m apart.
func (pc *Central) Violations(m *VM, host *inventory.Host, policies ...*AntiAffinityPolicy) int {
	count := 0
	for _, other := range pc.VMs.All {
		if other == m || other.Host != host || other.Power != wire.PowerOn {
			continue
		}
		if slices.ContainsFunc(policies, func(p *AntiAffinityPolicy) bool { return pc.Separates(p, m, other) != "" }) {
			count++
		}
	}
	return count
}

// Governed returns the VMs to which a policy applies.
func (pc *Central) Governed(p *AntiAffinityPolicy) []*VM {
	var out []*VM
	for _, m := range pc.VMs.All {
		if m.Exists && pc.Separates(p, m, m) != "" {
			out = append(out, m)
		}
	}
	return out
}
