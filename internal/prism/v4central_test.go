package prism

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// forBoth runs a test with both generations of the API. The central serves the same entities through both.
func forBoth(t *testing.T, test func(t *testing.T, central *central)) {
	t.Helper()
	for _, generation := range []Generation{V3, V4} {
		t.Run(string(generation), func(t *testing.T) {
			central := newCentral(t)
			central.generation = generation
			test(t, central)
		})
	}
}

func isV4(req *http.Request) bool { return !strings.HasPrefix(req.URL.Path, basePath) }

// serveV4 responds to GET requests of the v4 API. It ignores filters, so callers must check the entities.
func (c *central) serveV4(w http.ResponseWriter, req *http.Request) {
	path, id, kind := c.v4Path(req), "", ""
	for prefix, name := range map[string]string{
		"clustermgmt/config/clusters": "clusters", "vmm/content/images": "images", "networking/config/subnets": "subnets", "vmm/ahv/config/vms": "vms",
		"clustermgmt/config/storage-containers": "storage_containers", "prism/config/categories": "categories", "prism/config/tasks": "tasks",
	} {
		if rest, found := strings.CutPrefix(path, prefix); found {
			kind, id = name, strings.TrimPrefix(rest, "/")
		}
	}
	if element, profiles, found := strings.Cut(id, "/"); found {
		c.listV4(w, req, gpuProfiles(c.kinds["hosts"], element, profiles))
		return
	}
	items := c.itemsV4(kind)
	if id == "" {
		c.listV4(w, req, items)
		return
	}
	for _, item := range items {
		if item["extId"] == id {
			reply(w, map[string]any{"data": item})
			return
		}
	}
	group := "ENTITY_NOT_FOUND"
	if kind == "vms" {
		group = "VM_NOT_FOUND"
	}
	refuseV4(w, req, http.StatusNotFound, group, id+" is not found")
}

// v4Path returns the path without the version: <namespace>/<path>.
func (c *central) v4Path(req *http.Request) string {
	parts := strings.SplitN(strings.TrimPrefix(req.URL.Path, "/api/"), "/", 3)
	return parts[0] + "/" + parts[2]
}

func (c *central) listV4(w http.ResponseWriter, req *http.Request, items []map[string]any) {
	page, _ := strconv.Atoi(req.URL.Query().Get("$page"))
	start := min(page*pageLength, len(items))
	reply(w, map[string]any{
		"data": items[start:min(start+pageLength, len(items))], "metadata": map[string]any{"totalAvailableResults": len(items) + c.miscount},
	})
	if c.paged != nil {
		c.paged()
	}
}

func refuseV4(w http.ResponseWriter, req *http.Request, status int, group, message string) {
	namespace, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/api/"), "/")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, prismv4test.Refusal(namespace, "X-1", group, message))
}

// at returns the value at a path in a JSON object.
func at(object map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		object, _ = object[name].(map[string]any)
	}
	return object[path[len(path)-1]]
}

func listAt(object map[string]any, path ...string) []map[string]any {
	var out []map[string]any
	items, _ := at(object, path...).([]any)
	for _, item := range items {
		out = append(out, item.(map[string]any))
	}
	return out
}

// itemsV4 converts the entities of a kind to the v4 API. Entities that are being deleted do not exist in the v4 API.
func (c *central) itemsV4(kind string) []map[string]any {
	if kind == "categories" {
		return c.categoriesV4()
	}
	items := []map[string]any{}
	for _, entity := range c.kinds[kind] {
		if state, _ := at(entity, "status", "state").(string); strings.HasPrefix(state, "DELETE") && kind != "tasks" {
			continue
		}
		name := at(entity, "status", "name")
		if name == nil {
			name = at(entity, "spec", "name")
		}
		item := map[string]any{"extId": at(entity, "metadata", "uuid"), "name": name}
		switch kind {
		case "clusters":
			item["config"] = map[string]any{
				"clusterFunction": at(entity, "status", "resources", "config", "service_list"), "isAvailable": at(entity, "status", "resources", "config", "is_available"),
			}
		case "images":
			item["sizeBytes"], item["createTime"] = at(entity, "status", "resources", "size_bytes"), at(entity, "metadata", "creation_time")
		case "subnets":
			subnetV4(entity, item)
		case "storage_containers":
			item = containerV4(entity)
		case "tasks":
			item = map[string]any{"extId": taskPrefix + at(entity, "metadata", "uuid").(string), "status": entity["status"], "errorMessages": []any{map[string]any{"message": entity["error_detail"]}}, "entitiesAffected": entity["entities"]}
		case "vms":
			c.vmV4(entity, item)
		}
		items = append(items, item)
	}
	return items
}

func subnetV4(entity, item map[string]any) {
	item["subnetType"] = at(entity, "status", "resources", "subnet_type")
	if reference, ok := at(entity, "status", "cluster_reference").(map[string]any); ok {
		item["clusterReference"], item["clusterName"] = reference["uuid"], reference["name"]
	}
	var uuids, names []any
	for _, reference := range append(listAt(entity, "status", "cluster_reference_list"), listAt(entity, "status", "resources", "cluster_reference_list")...) {
		uuids, names = append(uuids, reference["uuid"]), append(names, reference["name"])
	}
	item["clusterReferenceList"], item["clusterNameList"] = uuids, names
}

func containerV4(entity map[string]any) map[string]any {
	item := map[string]any{"extId": entity["entity_id"], "containerExtId": entity["entity_id"]}
	for _, field := range listAt(entity, "data") {
		name := map[string]string{attributeContainerName: "name", attributeCluster: "clusterExtId"}[field["name"].(string)]
		for _, values := range listAt(field, "values") {
			item[name] = values["values"].([]any)[0]
		}
	}
	return item
}

// gpuProfiles returns one profile for each GPU of the hosts of a Prism Element.
func gpuProfiles(hosts []map[string]any, element, profiles string) []map[string]any {
	items := []map[string]any{}
	for _, host := range hosts {
		for i, gpu := range listAt(host, "status", "resources", "gpu_list") {
			virtual := gpu["mode"] == GPUVirtual
			if at(host, "status", "cluster_reference", "uuid") != element || virtual != (profiles == "virtual-gpu-profiles") {
				continue
			}
			config := map[string]any{
				"deviceName": gpu["name"], "vendorName": gpu["vendor"], "type": gpu["mode"], "deviceId": gpu["device_id"], "isInUse": gpu["consumer_reference"] != nil,
			}
			if virtual && gpu["assignable"] != true {
				config["assignable"] = 0
			}
			items = append(items, map[string]any{
				"extId": fmt.Sprint(at(host, "metadata", "uuid"), i), map[bool]string{true: "virtualGpuConfig", false: "physicalGpuConfig"}[virtual]: config,
			})
		}
	}
	return items
}

// vmCategories returns the categories of a VM as "key/value", sorted.
func vmCategories(entity map[string]any) []string {
	var found []string
	single, _ := at(entity, "metadata", "categories").(map[string]any)
	for key, value := range single {
		found = append(found, key+"="+value.(string))
	}
	mapping, _ := at(entity, "metadata", "categories_mapping").(map[string]any)
	for key, values := range mapping {
		for _, value := range values.([]any) {
			found = append(found, key+"="+value.(string))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (c *central) categoriesV4() []map[string]any {
	found := []string{"Env/Stage=a b"}
	for _, entity := range c.kinds["vms"] {
		found = append(found, vmCategories(entity)...)
	}
	slices.Sort(found)
	items := []map[string]any{}
	for _, text := range slices.Compact(found) {
		key, value, _ := strings.Cut(text, "=")
		items = append(items, map[string]any{"extId": "category-" + text, "key": key, "value": value})
	}
	return items
}

func (c *central) vmV4(entity, item map[string]any) {
	description, found := at(entity, "status", "description").(string)
	if !found {
		description, _ = at(entity, "spec", "description").(string)
	}
	item["description"], item["powerState"] = description, at(entity, "status", "resources", "power_state")
	item["cluster"] = map[string]any{"extId": at(entity, "status", "cluster_reference", "uuid")}
	item["host"] = map[string]any{"extId": at(entity, "status", "resources", "host_reference", "uuid")}
	item["memorySizeBytes"] = at(entity, "status", "resources", "memory_size_mib")
	categories, nics := []any{}, []any{}
	for _, text := range vmCategories(entity) {
		categories = append(categories, map[string]any{"extId": "category-" + text})
	}
	for _, nic := range listAt(entity, "status", "resources", "nic_list") {
		var v4, v6 []any
		for _, endpoint := range listAt(nic, "ip_endpoint_list") {
			address := map[string]any{"value": endpoint["ip"]}
			if strings.Contains(endpoint["ip"].(string), ":") {
				v6 = append(v6, address)
			} else {
				v4 = append(v4, address)
			}
		}
		nics = append(nics, map[string]any{"nicNetworkInfo": map[string]any{
			"$objectType": "vmm.v4.ahv.config.VirtualEthernetNicNetworkInfo", "ipv4Info": map[string]any{"learnedIpAddresses": v4}, "ipv6Info": map[string]any{"learnedIpv6Addresses": v6},
		}})
	}
	item["categories"], item["nics"] = categories, nics
}
