package vmm

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const policyTypes = "vmm.v4.ahv.policies."

// policyRoutes adds the operations of anti-affinity policies.
func (api *API) policyRoutes(r *v4.Router) {
	const path = "ahv/policies/vm-anti-affinity-policies"
	handle := func(method, path, responseType string, e v4.Endpoint) {
		r.Handle(method, "vmm", path, policyTypes+responseType+"ApiResponse", e)
	}
	handle("GET", path, "ListVmAntiAffinityPolicies", api.listPolicies)
	handle("POST", path, "CreateVmAntiAffinityPolicy", api.createPolicy)
	handle("GET", path+"/{extId}", "GetVmAntiAffinityPolicy", api.getPolicy)
	handle("PUT", path+"/{extId}", "UpdateVmAntiAffinityPolicy", api.updatePolicy)
	handle("DELETE", path+"/{extId}", "DeleteVmAntiAffinityPolicy", api.deletePolicy)
	handle("GET", path+"/{extId}/vm-compliance-states", "ListVmAntiAffinityPolicyVmComplianceStates", api.listCompliance)
}

// policyObject returns an anti-affinity policy. A VM that is off counts as pending.
func (api *API) policyObject(r *v4.Request, p *model.AntiAffinityPolicy) v4.Object {
	counts := map[string]int{}
	for _, m := range api.Governed(p) {
		counts[api.compliance(p, m)]++
	}
	user := v4.Typed(policyTypes+"UserReference", v4.Object{"extId": api.OwnerUUID})
	out := v4.Typed(policyTypes+"VmAntiAffinityPolicy", v4.Object{
		"extId": p.UUID, "name": p.Name, "categories": v4.References(policyTypes+"CategoryReference", p.Categories...),
		"createTime": v4.TimeText(p.Created), "updateTime": v4.TimeText(p.Updated), "createdBy": user, "updatedBy": user,
		"numCompliantVms": counts[compliant], "numNonCompliantVms": counts[nonCompliant], "numPendingVms": counts[pending],
		"links": v4.SelfLinks(r, "ahv/policies/vm-anti-affinity-policies/"+p.UUID),
	})
	if p.Description != "" {
		out["description"] = p.Description
	}
	return out
}

// Types of the compliance of a VM with a policy.
const (
	compliant    = "CompliantVmAntiAffinityPolicy"
	nonCompliant = "NonCompliantVmAntiAffinityPolicy"
	pending      = "PendingVmAntiAffinityPolicy"
)

func (api *API) compliance(p *model.AntiAffinityPolicy, m *model.VM) string {
	switch {
	case m.Power != wire.PowerOn:
		return pending
	case api.Violations(m, m.Host, p) > 0:
		return nonCompliant
	}
	return compliant
}

// policy returns the policy with the ID in the path of a request. This package defines the code of the error.
func (api *API) policy(r *v4.Request) (*model.AntiAffinityPolicy, error) {
	if p := api.AntiAffinityPolicyByUUID(strings.ToLower(r.PathValue("extId"))); p != nil {
		return p, nil
	}
	return nil, v4.NoSuchEntity("VMM-50100", "VM anti-affinity policy", r.PathValue("extId"))
}

var policyListing = v4.Listing{Filters: []string{"extId", "name"}, Orders: []string{"name", "createTime", "updateTime"}}

func (api *API) listPolicies(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, p := range api.Policies.All {
		items = append(items, api.policyObject(r, p))
	}
	api.Mu.Unlock()
	return policyListing.Respond(r, items)
}

func (api *API) getPolicy(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	p, err := api.policy(r)
	if err != nil {
		return nil, err
	}
	return &v4.Response{Data: api.policyObject(r, p), ETag: p.Revision.ETag()}, nil
}

func (api *API) listCompliance(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	p, err := api.policy(r)
	if err != nil {
		api.Mu.Unlock()
		return nil, err
	}
	items := []v4.Object{}
	for _, m := range api.Governed(p) {
		status := v4.Typed(policyTypes+api.compliance(p, m), nil)
		item := v4.Typed(policyTypes+"VmAntiAffinityPolicyVmComplianceState", v4.Object{
			"extId": m.UUID, "complianceStatus": status, "$complianceStatusItemDiscriminator": status[v4.KeyType],
			"cluster": v4.Typed(policyTypes+"ClusterReference", v4.Object{"extId": m.PrismElement.UUID}),
		})
		if m.Host != nil {
			item["host"] = v4.Typed(policyTypes+"HostReference", v4.Object{"extId": m.Host.UUID})
		}
		items = append(items, item)
	}
	api.Mu.Unlock()
	return v4.Listing{Filters: []string{"extId"}}.Respond(r, items)
}

// policyBody is the body of a request that creates or updates a policy.
type policyBody struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Categories  []reference `json:"categories"`
}

func readPolicy(r *v4.Request) (*policyBody, error) {
	body := &policyBody{}
	if err := r.Decode(body); err != nil {
		return nil, err
	}
	if body.Name == "" || len(body.Categories) == 0 {
		return nil, v4.InvalidBody("", "name and categories are required properties")
	}
	return body, checkRequestID(r)
}

// set changes a policy, unless the body refers to a category that does not exist.
func (api *API) set(p *model.AntiAffinityPolicy, body *policyBody) *model.TaskError {
	if invalid := api.checkCategories("", body.Categories); invalid != nil {
		return invalid.Fails()
	}
	p.Name, p.Description, p.Updated, p.Categories = body.Name, body.Description, time.Now().UTC(), nil
	for _, category := range body.Categories {
		p.Categories = append(p.Categories, strings.ToLower(category.ExtID))
	}
	p.Revision++
	return nil
}

func (api *API) createPolicy(r *v4.Request) (*v4.Response, error) {
	body, err := readPolicy(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	return api.orderForPolicy(r, "Create", nil, func(t *model.Task) *model.TaskError {
		p := &model.AntiAffinityPolicy{}
		if failed := api.set(p, body); failed != nil {
			return failed
		}
		api.AddAntiAffinityPolicy(p)
		t.Affect(model.TaskEntity{UUID: p.UUID, Rel: model.RelAntiAffinityPolicy, Name: p.Name})
		return nil
	}), nil
}

func (api *API) orderForPolicy(r *v4.Request, verb string, p *model.AntiAffinityPolicy, work func(*model.Task) *model.TaskError) *v4.Response {
	order := model.Order{
		Operation: "kVmAntiAffinityPolicy" + verb, Description: verb + " VM-VM anti-affinity policy", Duration: api.Latency.Update, Work: work,
	}
	if p != nil {
		order.Entities = []model.TaskEntity{{UUID: p.UUID, Rel: model.RelAntiAffinityPolicy, Name: p.Name}}
	}
	return v4.Accepted(api.Order(r.Context(), r.Namespace, order))
}

// changedPolicy returns the policy with the ID in the path of a change request. It returns an error if the request has
// no request ID or an outdated ETag. This package defines the code of an outdated ETag.
func (api *API) changedPolicy(r *v4.Request) (*model.AntiAffinityPolicy, error) {
	if err := checkRequestID(r); err != nil {
		return nil, err
	}
	p, err := api.policy(r)
	if err != nil {
		return nil, err
	}
	return p, r.IfMatch(p.Revision, true, func(sent, current string) *v4.Error {
		return &v4.Error{
			Status: http.StatusPreconditionFailed, Code: "VMM-50303", Group: "POLICY_ETAG_MISMATCH", Message: v4.MismatchText(sent, current) + ".",
		}
	})
}

func (api *API) updatePolicy(r *v4.Request) (*v4.Response, error) {
	body, err := readPolicy(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	p, err := api.changedPolicy(r)
	if err != nil {
		return nil, err
	}
	return api.orderForPolicy(r, "Update", p, func(*model.Task) *model.TaskError { return api.set(p, body) }), nil
}

func (api *API) deletePolicy(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	p, err := api.changedPolicy(r)
	if err != nil {
		return nil, err
	}
	return api.orderForPolicy(r, "Delete", p, func(*model.Task) *model.TaskError {
		if !slices.Contains(api.Policies.All, p) {
			return v4.NoSuchEntity("VMM-50100", "VM anti-affinity policy", p.UUID).Fails()
		}
		api.Policies.Remove(p)
		return nil
	}), nil
}
