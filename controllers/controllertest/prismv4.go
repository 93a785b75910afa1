package controllertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// v4Path matches the path of a request of the v4 API. Its groups are the namespace and the path without the version.
var v4Path = regexp.MustCompile(`^/api/([a-z]+)/(?:unversioned|v4\.[0-9]+)/(.*)$`)

// v4Base is the path of requests that Terraform sends to the namespace vmm of the v4 API.
const v4Base = "/api/vmm/v4.2/"

const (
	v4VMs        = "ahv/config/vms"
	v4Categories = "config/categories"
	v4Policies   = "ahv/policies/vm-anti-affinity-policies"
	v4Tasks      = "config/tasks"
	v4PowerOn    = "/$actions/power-on"
	// v4TaskPrefix is the prefix of task IDs in the v4 API.
	v4TaskPrefix = "ZXJnb24=:"
	// groupVMNotFound is the error group for a VM that does not exist.
	groupVMNotFound = "VM_NOT_FOUND"
)

// UseV4 makes the cluster and the machine use the v4 API with provider V4Provider. The category of the cluster exists.
func (f *Fixture) UseV4(e *Environment) {
	for _, object := range []interface {
		GetAnnotations() map[string]string
		SetAnnotations(annotations map[string]string)
	}{f.NutanixCluster, f.NutanixMachine} {
		annotations := map[string]string{infrav1.PrismAPIAnnotation: "v4", infrav1.ProviderVersionAnnotation: V4Provider}
		maps.Copy(annotations, object.GetAnnotations())
		object.SetAnnotations(annotations)
	}
	e.Prism.PutCategory(infrav1.CategoryKey, f.Cluster.Name)
}

// V4Provider is the provider version of clusters that use the v4 API.
const V4Provider = "2.4.2"

// CategoryUUID returns the UUID of a category in the v4 API.
func CategoryUUID(key, value string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(key+"="+value)).String()
}

// PutCategory adds a category of the v4 API. The category env=prod exists from the beginning.
func (p *Prism) PutCategory(key, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.categories = append(p.categories, [2]string{key, value})
}

// PutPolicy adds an anti-affinity policy for the category with the UUID category.
func (p *Prism) PutPolicy(uuid, name, category string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policies = append(p.policies, jsonObject{"extId": uuid, "name": name, "categories": []jsonObject{{"extId": category}}})
}

// RemoveCategory removes a category of the v4 API.
func (p *Prism) RemoveCategory(key, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.categories = slices.DeleteFunc(p.categories, func(pair [2]string) bool { return pair == [2]string{key, value} })
}

// HasCategory reports whether a category of the v4 API exists.
func (p *Prism) HasCategory(key, value string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.categories, [2]string{key, value})
}

// serveV4 responds to a request of the v4 API. It ignores filters, so callers have to check the entities.
func (p *Prism) serveV4(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path := v4Path.FindStringSubmatch(request.URL.Path)[2]
	id := ""
	for _, kind := range []string{v4VMs, v4Categories, v4Policies, v4Tasks} {
		if rest, found := strings.CutPrefix(path, kind+"/"); found {
			path, id = kind, rest
		}
	}
	switch vm, isPowerOn := strings.CutSuffix(id, v4PowerOn); {
	case request.Method == http.MethodOptions:
		reply(w, jsonObject{"data": "v4.2"})
	case path == v4Tasks:
		p.taskV4(w, id)
	case path == v4VMs && request.Method == http.MethodPost && id == "":
		p.createV4(w, request.Body)
	case path == v4VMs && isPowerOn:
		p.powerOnV4(w, vm)
	case path == v4VMs && request.Method == http.MethodDelete:
		p.deleteV4(w, id)
	case path == v4Categories && request.Method != http.MethodGet:
		p.changeCategory(w, request, id)
	case id != "":
		p.getV4(w, path, id)
	default:
		items := p.inventoryV4(path)
		reply(w, jsonObject{"data": items, "metadata": jsonObject{"totalAvailableResults": len(items)}})
	}
}

func (p *Prism) getV4(w http.ResponseWriter, path, id string) {
	for _, item := range p.inventoryV4(path) {
		if item["extId"] == id {
			reply(w, jsonObject{"data": item})
			return
		}
	}
	refuseV4(w, http.StatusNotFound, map[bool]string{true: groupVMNotFound, false: "ENTITY_NOT_FOUND"}[path == v4VMs])
}

// inventoryV4 returns the entities of a list of the v4 API.
func (p *Prism) inventoryV4(path string) []jsonObject {
	kinds := map[string]string{"config/clusters": "clusters", "config/subnets": "subnets", "content/images": "images"}
	items := []jsonObject{}
	switch path {
	case v4Categories:
		for _, pair := range p.categories {
			items = append(items, jsonObject{"extId": CategoryUUID(pair[0], pair[1]), "key": pair[0], "value": pair[1]})
		}
	case v4Policies:
		items = append(items, p.policies...)
	case v4VMs:
		for _, uuid := range slices.Sorted(maps.Keys(p.vms)) {
			if vm := p.vms[uuid]; !p.hidden["vms"] && !p.missing[vm.Name] {
				items = append(items, vm.v4())
			}
		}
	}
	for _, entity := range p.inventory(kinds[path]) {
		metadata, status := entity["metadata"].(jsonObject), entity["status"].(jsonObject) //nolint:forcetypeassert // made by inventory
		item := jsonObject{"extId": metadata["uuid"], "name": metadata["name"]}
		if home, ok := status["cluster_reference"].(jsonObject); ok {
			item["clusterReference"], item["clusterName"], item["subnetType"] = home["uuid"], home["name"], "VLAN"
		}
		if path == "config/clusters" {
			item["config"] = jsonObject{"clusterFunction": []string{"AOS"}}
		}
		items = append(items, item)
	}
	return items
}

// v4 returns a VM as the v4 API does.
func (v VM) v4() jsonObject {
	item := jsonObject{"extId": v.UUID, "name": v.Name, "description": v.Description, "powerState": cmp.Or(v.PowerState, "ON"),
		"cluster": jsonObject{"extId": v.PrismElement}, "memorySizeBytes": v.MemoryMiB << 20}
	categories := []jsonObject{}
	for _, id := range v.CategoryUUIDs {
		categories = append(categories, jsonObject{"extId": id})
	}
	nics := []jsonObject{}
	for _, address := range v.Addresses {
		nics = append(nics, jsonObject{"nicNetworkInfo": jsonObject{"$objectType": "vmm.v4.ahv.config.VirtualEthernetNicNetworkInfo",
			"ipv4Info": jsonObject{"learnedIpAddresses": []jsonObject{{"value": address}}}}})
	}
	item["categories"], item["nics"] = categories, nics
	return item
}

// createV4 creates a VM that is switched off.
func (p *Prism) createV4(w http.ResponseWriter, body io.Reader) {
	if p.changes.fault != CreatesSucceed {
		refuseV4(w, http.StatusUnprocessableEntity, "INVALID_REQUEST")
		return
	}
	var vm VM
	_ = json.NewDecoder(body).Decode(&vm) // the double of Terraform sends valid JSON
	p.changes.made++
	vm.UUID, vm.PowerState = UUID(6, p.changes.made), "OFF"
	if vm.Addresses == nil {
		vm.Addresses = []string{fmt.Sprintf("10.0.0.%d", p.changes.made)}
	}
	p.vms[vm.UUID] = vm
	task := UUID(9, p.changes.made)
	p.changes.tasks[task] = vm.UUID
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"data": jsonObject{"extId": v4TaskPrefix + task}})
}

func (p *Prism) taskV4(w io.Writer, id string) {
	task := strings.TrimPrefix(id, v4TaskPrefix)
	reply(w, jsonObject{"data": jsonObject{"extId": id, "status": "SUCCEEDED",
		"entitiesAffected": []jsonObject{{"extId": p.changes.tasks[task], "rel": "vmm:ahv:config:vm"}}}})
}

func (p *Prism) powerOnV4(w http.ResponseWriter, uuid string) {
	vm, found := p.vms[uuid]
	if !found || p.changes.staysOff {
		refuseV4(w, http.StatusConflict, "VM_POWER_ON_FAILED")
		return
	}
	vm.PowerState = "ON"
	p.vms[uuid] = vm
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"data": jsonObject{"extId": v4TaskPrefix + UUID(9, 0)}})
}

// FailPowerOn makes Prism refuse to switch on VMs through the v4 API.
func (p *Prism) FailPowerOn(fails bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.staysOff = fails
}

func (p *Prism) deleteV4(w http.ResponseWriter, uuid string) {
	if _, found := p.vms[uuid]; !found {
		refuseV4(w, http.StatusNotFound, groupVMNotFound)
		return
	}
	delete(p.vms, uuid)
	w.WriteHeader(http.StatusAccepted)
	reply(w, jsonObject{"data": jsonObject{"extId": v4TaskPrefix + UUID(9, 0)}})
}

// changeCategory creates or deletes a category. A category that exists cannot be created.
func (p *Prism) changeCategory(w http.ResponseWriter, request *http.Request, id string) {
	isID := func(pair [2]string) bool { return CategoryUUID(pair[0], pair[1]) == id }
	if request.Method == http.MethodDelete {
		p.categories = slices.DeleteFunc(p.categories, isID)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var category struct{ Key, Value string }
	_ = json.NewDecoder(request.Body).Decode(&category) // the double of Terraform sends valid JSON
	pair := [2]string{category.Key, category.Value}
	if slices.Contains(p.categories, pair) {
		refuseV4(w, http.StatusConflict, "CATEGORY_EXISTS")
		return
	}
	p.categories = append(p.categories, pair)
	w.WriteHeader(http.StatusCreated)
	reply(w, jsonObject{"data": jsonObject{"extId": CategoryUUID(pair[0], pair[1])}})
}

// refuseV4 sends an error of the namespace vmm or prism, as Prism Central does.
func refuseV4(w http.ResponseWriter, status int, group string) {
	namespace, code := "prism", "PRISM-1"
	if group == groupVMNotFound {
		namespace, code = "vmm", "VMM-30100"
	}
	w.WriteHeader(status)
	reply(w, jsonObject{"data": jsonObject{"$objectType": namespace + ".v4.error.ErrorResponse", "error": []jsonObject{{
		"$objectType": namespace + ".v4.error.AppMessage", "message": "it is refused: " + group, "code": code, "errorGroup": group, "severity": "ERROR",
	}}}})
}
