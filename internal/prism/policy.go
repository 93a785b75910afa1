package prism

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// KindPolicy is the kind that errors about anti-affinity policies name.
const KindPolicy = "anti-affinity policy"

// AntiAffinityPolicy keeps the VMs with the same category on different hosts.
type AntiAffinityPolicy struct {
	UUID, Name string
	// Categories are the UUIDs of the categories to which the policy applies, sorted.
	Categories []string
}

// errNoPolicies means that the v3 API has no anti-affinity policies.
var errNoPolicies = errors.New("reading anti-affinity policies: the v3 API of Prism Central has none")

// AntiAffinityPolicy returns the policy with the UUID uuid, or a *NotFoundError. It requires the v4 API. The error code for a policy that does
// not exist is not documented. So a policy counts as missing only if the list of all policies does not contain it, either.
func (c *Client) AntiAffinityPolicy(ctx context.Context, uuid string) (*AntiAffinityPolicy, error) {
	v4, ok := c.api.(apiV4)
	if !ok {
		return nil, errNoPolicies
	}
	uuid = strings.ToLower(uuid)
	found, err := v4Policies.get(ctx, v4, uuid)
	var status *StatusError
	switch {
	case err == nil:
		return &found, nil
	case !errors.As(err, &status) || status.Status != http.StatusNotFound:
		return nil, err
	}
	all, err := v4Policies.lookUp(v4, identifier{}).read(ctx, c)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(policy AntiAffinityPolicy) bool { return policy.UUID == uuid }); i >= 0 {
		return &all[i], nil
	}
	return nil, &NotFoundError{Kind: KindPolicy, Identifier: fmt.Sprintf("uuid %q", uuid)}
}

// AntiAffinityPoliciesOf returns the policies that apply to the category with the UUID category, sorted by UUID. It requires the v4 API.
func (c *Client) AntiAffinityPoliciesOf(ctx context.Context, category string) ([]AntiAffinityPolicy, error) {
	v4, ok := c.api.(apiV4)
	if !ok {
		return nil, errNoPolicies
	}
	found, err := v4Policies.lookUp(v4, identifier{}).read(ctx, c)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(policy AntiAffinityPolicy) bool {
		return !slices.Contains(policy.Categories, strings.ToLower(category))
	})
	slices.SortFunc(found, func(a, b AntiAffinityPolicy) int { return strings.Compare(a.UUID, b.UUID) })
	return found, nil
}
