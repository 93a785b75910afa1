package v3

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (api *API) listVMs(r *http.Request) (int, any, error) {
	return api.list(r, "vm", func() ([]listItem, error) {
		items := []listItem{}
		for _, m := range api.VMs.Listed(api.Rules.Lag("vm")) {
			if api.Listable(m) { // "Entities that have not been created successfully are not listed."
				items = append(items, listItem{uuid: m.UUID, attributes: vmAttributes(m, api.Central), body: vmBody(m, api.Central)})
			}
		}
		return items, nil
	})
}

// vmAttributes returns the FIQL attributes of a VM.
func vmAttributes(m *model.VM, e *model.Central) attributes {
	res := m.Live.Resources
	fixed := map[string]string{
		"name": m.Live.Name, "vm_name": m.Live.Name, "uuid": m.UUID, "vm_uuid": m.UUID, "power_state": m.Power,
		"cluster_name": m.PrismElement.Name, "cluster_uuid": m.PrismElement.UUID, "cluster": m.PrismElement.UUID, "description": m.Live.Description,
		"project_name": e.ProjectByUUID(m.Project).Name, "project_uuid": m.Project,
		"state": m.State, "creation_time": wire.Timestamp(m.Created), "host_name": "",
		"memory_size_mib": strconv.FormatInt(*res.MemorySizeMiB, 10), "num_sockets": strconv.FormatInt(*res.NumSockets, 10),
		"num_vcpus": strconv.FormatInt(*res.NumSockets**res.NumVCPUsPerSocket, 10),
	}
	if m.Host != nil {
		fixed["host_name"] = m.Host.Name
	}
	lookup := table(fixed)
	return func(name string) ([]string, bool) {
		switch name {
		case "category", "categories", "category_name": // values in the format key:value
			values := []string{}
			for key, assigned := range m.Categories {
				for _, value := range assigned {
					values = append(values, key+":"+value)
				}
			}
			return values, true
		case "ip_addresses":
			values := []string{}
			for _, n := range m.LiveNICs() {
				for _, endpoint := range n.IPEndpoints {
					values = append(values, endpoint.IP)
				}
			}
			return values, true
		}
		if key, isCategory := strings.CutPrefix(name, "categories."); isCategory {
			return m.Categories[key], true
		}
		return lookup(name)
	}
}

// vmBody returns the body of the response to GET /vms/{uuid}. The caller must hold the mutex.
func vmBody(m *model.VM, e *model.Central) wire.Entity {
	now := m.Current()
	res := *now.Resources
	res.PowerState = m.Power
	res.NICList = m.LiveNICs()
	if len(m.GPUs) > 0 {
		res.GPUList = m.GPUs
	}
	live := &wire.VMLiveResources{
		VMResources: &res, HypervisorType: "AHV", BIOSUUID: m.BIOS,
		GenerationUUID: inventory.DeriveUUID("generation", m.UUID), ProtectionType: "UNPROTECTED",
	}
	if m.Host != nil {
		live.HostReference = &wire.Reference{Kind: "host", Name: m.Host.Name, UUID: m.Host.UUID}
	}
	project := e.ProjectByUUID(m.Project)
	return wire.Entity{
		APIVersion: wire.APIVersion,
		Metadata: &wire.Metadata{
			Kind: "vm", UUID: m.UUID, SpecVersion: new(m.Version), EntityVersion: strconv.FormatInt(m.Version+1, 10),
			CreationTime: new(m.Created), LastUpdateTime: new(m.Updated), OwnerReference: e.Owner(),
			ProjectReference: &wire.Reference{Kind: "project", Name: project.Name, UUID: project.UUID},
			Categories:       m.Categories.First(), Mapping: m.Categories.Clone(),
		},
		Spec: shownSpec(m, e.Rules),
		Status: wire.VMStatus{
			State: m.State, Name: now.Name, Description: now.Description, ClusterReference: now.ClusterReference,
			Resources: live, Messages: m.Messages, Execution: &wire.ExecutionContext{TaskUUID: append([]string{}, m.Tasks...)},
		},
	}
}

// shownSpec returns the spec of a VM in the format of responses.
func shownSpec(m *model.VM, rules model.Rules) wire.VMSpec {
	if !rules.LearnedInSpec || m.Spec.Resources == nil {
		return m.Spec
	}
	out, res := m.Spec, *m.Spec.Resources
	res.NICList, out.Resources = m.WithLearned(res.NICList), &res
	return out
}
