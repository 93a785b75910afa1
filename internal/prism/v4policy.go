package prism

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
)

type v4Policy struct {
	v4Entity
	Categories []v4Entity `json:"categories"`
}

// v4Policies is the kind of anti-affinity policies.
var v4Policies = v4Kind[v4Policy, AntiAffinityPolicy]{prismv4.VMM, "/ahv/policies/vm-anti-affinity-policies", (*v4Policy).key,
	func(in *v4Policy) AntiAffinityPolicy {
		policy := AntiAffinityPolicy{UUID: strings.ToLower(in.ExtID), Name: in.Name}
		for _, category := range in.Categories {
			policy.Categories = append(policy.Categories, strings.ToLower(category.ExtID))
		}
		slices.Sort(policy.Categories)
		return policy
	}}
