package v3

import (
	"net/http"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// getMe handles GET /users/me. Clients send this request to open a session.
func (api *API) getMe(r *http.Request) (int, any, error) {
	name := auth.Account(r.Context())
	body := wire.Entity{
		APIVersion: wire.APIVersion,
		Metadata:   &wire.Metadata{Kind: "user", UUID: api.OwnerUUID, SpecVersion: new(int64(0)), Categories: map[string]string{}},
		Spec:       map[string]any{"resources": map[string]any{}},
		Status: map[string]any{
			"state": wire.StateComplete, "name": name,
			"resources": map[string]any{"user_type": "LOCAL", "display_name": name},
		},
	}
	return http.StatusOK, body, nil
}

// record is an entity of the inventory in the format of responses.
type record struct {
	uuid       string
	attributes attributes
	body       wire.Entity
}

// records returns all entities of a kind in the order of the inventory. The caller must hold the mutex.
func (api *API) records(kind string) []record { return api.listedRecords(kind, 0) }

// listedRecords returns the entities of a kind that existed at the current time minus lag. The caller must hold the mutex.
func (api *API) listedRecords(kind string, lag time.Duration) []record {
	var out []record
	e := api.Central
	switch kind {
	case "cluster":
		for _, pe := range e.PrismElements {
			out = append(out, api.elementRecord(pe))
		}
		out = append(out, api.centralRecord())
	case "subnet":
		for _, n := range e.Subnets {
			out = append(out, api.subnetRecord(n))
		}
	case "vpc": // only for Server.UUID: the server has no v3 API for VPCs
		for _, v := range e.VPCs {
			out = append(out, api.newRecord("vpc", v.UUID, v.Name, e.Started, nil))
		}
	case "image":
		for _, img := range e.Images.Listed(lag) {
			out = append(out, api.imageRecord(img))
		}
	case "project":
		for _, p := range e.Projects {
			out = append(out, api.projectRecord(p))
		}
	case "host":
		for _, pe := range e.PrismElements {
			for i := range pe.Hosts {
				out = append(out, api.hostRecord(pe, &pe.Hosts[i]))
			}
		}
	case "storage_container":
		for _, pe := range e.PrismElements {
			for i := range pe.StorageContainers {
				out = append(out, api.containerRecord(pe, &pe.StorageContainers[i]))
			}
		}
	}
	return out
}

func (api *API) listEntities(kind string) wire.Endpoint {
	return func(r *http.Request) (int, any, error) {
		return api.list(r, kind, func() ([]listItem, error) {
			items := []listItem{}
			for _, rec := range api.listedRecords(kind, api.Rules.Lag(kind)) {
				items = append(items, listItem{uuid: rec.uuid, attributes: rec.attributes, body: rec.body})
			}
			return items, nil
		})
	}
}

func (api *API) getEntity(kind string) wire.Endpoint {
	return func(r *http.Request) (int, any, error) {
		api.Mu.Lock()
		defer api.Mu.Unlock()
		rec, err := api.recordOf(kind, r.PathValue("uuid"))
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, wire.Marshal(rec.body), nil
	}
}

func (api *API) recordOf(kind, id string) (record, error) {
	if !inventory.IsUUID(id) {
		return record{}, wire.Unprocessable(kind, "%q is not a valid UUID.", id)
	}
	for _, rec := range api.records(kind) {
		if rec.uuid == id {
			return rec, nil
		}
	}
	return record{}, wire.NotFound(kind, "The "+kind+" "+id)
}

// newRecord returns a record with the metadata that is common to all kinds.
func (api *API) newRecord(kind, id, name string, created time.Time, more map[string]string) record {
	values := map[string]string{"name": name, kind + "_name": name, "uuid": id, "creation_time": wire.Timestamp(created)}
	for k, v := range more {
		values[k] = v
	}
	return record{uuid: id, attributes: table(values), body: wire.Entity{
		APIVersion: wire.APIVersion,
		Metadata: &wire.Metadata{
			Kind: kind, UUID: id, SpecVersion: new(int64(0)), SpecHash: "00000000000000000000000000000000000000000000000000",
			CreationTime: new(created), LastUpdateTime: new(created), OwnerReference: api.Owner(),
			Categories: map[string]string{}, Mapping: map[string][]string{},
		},
	}}
}

func (api *API) elementRecord(pe *inventory.PrismElement) record {
	servers := []map[string]any{}
	for range pe.Hosts {
		servers = append(servers, map[string]any{"ip": "127.0.0.1", "type": "AHV", "version": "10.0"})
	}
	rec := api.newRecord("cluster", pe.UUID, pe.Name, api.Started, map[string]string{"service_list": "AOS"})
	network := map[string]any{"external_ip": "127.0.0.1", "name_server_ip_list": []string{}, "ntp_server_ip_list": []string{}}
	rec.body.Spec = map[string]any{"name": pe.Name, "resources": map[string]any{"network": network, "config": map[string]any{"timezone": "UTC"}}}
	rec.body.Status = map[string]any{"name": pe.Name, "state": wire.StateComplete, "resources": map[string]any{
		"network": network, "nodes": map[string]any{"hypervisor_server_list": servers},
		"analysis": map[string]any{"vm_efficiency_map": map[string]string{}},
		"config":   clusterConfig("AOS", pe.Version, api.Connected(pe)),
	}}
	return rec
}

// centralRecord returns the record of Prism Central itself. Every list of clusters contains this record.
func (api *API) centralRecord() record {
	pc := api.PrismCentral
	rec := api.newRecord("cluster", pc.UUID, pc.Name, api.Started, map[string]string{"service_list": "PRISM_CENTRAL"})
	network := map[string]any{"external_ip": "127.0.0.1"}
	rec.body.Spec = map[string]any{"name": pc.Name, "resources": map[string]any{"network": network}}
	rec.body.Status = map[string]any{"name": pc.Name, "state": wire.StateComplete, "resources": map[string]any{
		"network": network, "config": clusterConfig("PRISM_CENTRAL", pc.Version, true),
	}}
	return rec
}

func clusterConfig(service, version string, available bool) map[string]any {
	return map[string]any{
		"service_list": []string{service}, "is_available": available, "timezone": "UTC", "cluster_arch": "X86_64", "operation_mode": "NORMAL",
		"redundancy_factor": 2, "enabled_feature_list": []string{}, "encryption_status": "NOT_SUPPORTED",
		"build":        map[string]any{"version": version, "full_version": version, "build_type": "release", "is_long_term_support": false},
		"software_map": map[string]any{"NOS": map[string]any{"software_type": "NOS", "status": "INSTALLED", "version": version}},
	}
}

func (api *API) imageRecord(img *inventory.Image) record {
	rec := api.newRecord("image", img.UUID, img.Name, *img.Created, map[string]string{"image_type": img.Type})
	rec.body.Spec = map[string]any{"name": img.Name, "resources": map[string]any{"image_type": img.Type, "architecture": "X86_64"}}
	rec.body.Status = map[string]any{"name": img.Name, "state": wire.StateComplete, "resources": map[string]any{
		"image_type": img.Type, "architecture": "X86_64", "size_bytes": img.Size.Value(), "retrieval_uri_list": []string{},
	}}
	return rec
}

func (api *API) projectRecord(p *inventory.Project) record {
	rec := api.newRecord("project", p.UUID, p.Name, api.Started, nil)
	resources := map[string]any{"is_default": p == api.Projects[0], "subnet_reference_list": []any{}, "user_reference_list": []any{}}
	rec.body.Spec = map[string]any{"name": p.Name, "resources": resources}
	rec.body.Status = map[string]any{"name": p.Name, "state": wire.StateComplete, "resources": resources}
	return rec
}

// getProjectInternal handles GET /projects_internal/{uuid}. The Terraform provider sends this request.
func (api *API) getProjectInternal(r *http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	rec, err := api.recordOf("project", r.PathValue("uuid"))
	if err != nil {
		return 0, nil, err
	}
	detail, status := rec.body.Spec, rec.body.Status
	rec.body.Spec = map[string]any{"project_detail": detail, "user_list": []any{}, "user_group_list": []any{}, "access_control_policy_list": []any{}}
	rec.body.Status = map[string]any{"state": wire.StateComplete, "project_status": status, "user_list_status": []any{}, "access_control_policy_list_status": []any{}}
	return http.StatusOK, wire.Marshal(rec.body), nil
}

func (api *API) getPrismCentral(*http.Request) (int, any, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	pc := api.PrismCentral
	return http.StatusOK, map[string]any{
		"api_version": wire.APIVersion, "metadata": map[string]any{"kind": "prism_central", "uuid": pc.UUID},
		"resources": map[string]any{"cluster_uuid": pc.UUID, "type": "SINGLE_NODE", "version": pc.Version},
	}, nil
}
