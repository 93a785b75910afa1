package prismsim

import (
	"net/http"
	"slices"
	"strings"
)

const clusterTypes = "clustermgmt.v4.config."

// hostCores and hostHertz are the same for every host.
const (
	hostCores = 32
	hostHertz = 2_500_000_000
)

func (api *v4API) v4ClusterRoutes(r *v4Router) {
	const ns = "clustermgmt"
	r.handle("GET", ns, "config/clusters", clusterTypes+"ListClustersApiResponse", api.v4ListClusters)
	r.handle("GET", ns, "config/clusters/{extId}", clusterTypes+"GetClusterApiResponse", api.v4GetCluster)
	r.handle("GET", ns, "config/hosts", clusterTypes+"ListHostsApiResponse", api.v4ListHosts)
	r.handle("GET", ns, "config/clusters/{clusterExtId}/hosts", clusterTypes+"ListHostsByClusterIdApiResponse", api.v4ListHosts)
	r.handle("GET", ns, "config/clusters/{clusterExtId}/hosts/{extId}", clusterTypes+"GetHostApiResponse", api.v4GetHost)
}

// noSuchEntity is how clustermgmt and prism say that there is none.
func noSuchEntity(code, what, id string) *v4Error {
	return &v4Error{
		status: http.StatusNotFound, code: code, group: "ENTITY_NOT_FOUND", message: what + " with extId " + id + " was not found.",
	}
}

// v4Clusters gives the Prism Elements and, last, the cluster of Prism Central itself. The caller holds the mutex.
func (api *v4API) v4Clusters(r *v4Request) []object {
	out := []object{}
	for _, pe := range api.elements {
		out = append(out, api.v4Element(r, pe))
	}
	pc := api.central
	return append(out, typed(clusterTypes+"Cluster", object{
		"extId": pc.UUID, "name": pc.Name, "links": selfLinks(r, "config/clusters/"+pc.UUID),
		"config": v4ClusterConfig("PRISM_CENTRAL", "PRISM_CENTRAL", pc.Version, true), "network": v4ClusterNetwork(),
		"nodes": typed(clusterTypes+"NodeReference", object{"numberOfNodes": 1}),
	}))
}

func (api *v4API) v4Element(r *v4Request, pe *PrismElement) object {
	nodes, vms := []object{}, 0
	for _, host := range pe.Hosts {
		nodes = append(nodes, typed(clusterTypes+"NodeListItemReference", object{"nodeUuid": host.UUID, "hostIp": v4IP("127.0.0.1")}))
	}
	for _, m := range api.vms.all {
		if m.exists && m.element == pe {
			vms++
		}
	}
	out := typed(clusterTypes+"Cluster", object{
		"extId": pe.UUID, "name": pe.Name, "vmCount": vms, "links": selfLinks(r, "config/clusters/"+pe.UUID),
		"config": v4ClusterConfig("AOS", "NOS", "7.0", api.connected(pe)), "network": v4ClusterNetwork(),
		"nodes": typed(clusterTypes+"NodeReference", object{"numberOfNodes": len(nodes), "nodeList": nodes}),
	})
	if ids := api.categoryIDs(pe.Categories); len(ids) > 0 {
		out["categories"] = ids
	}
	return out
}

func v4ClusterConfig(function, software, version string, available bool) object {
	config := object{
		"clusterFunction": []string{function}, "isAvailable": available, "timezone": "UTC", "isLts": false, "redundancyFactor": 2,
		"clusterArch": "X86_64", "operationMode": "NORMAL", "incarnationId": 1,
		"buildInfo": typed(clusterTypes+"BuildReference", object{"version": version, "fullVersion": version, "buildType": "release"}),
		"clusterSoftwareMap": []object{
			typed(clusterTypes+"SoftwareMapReference", object{"softwareType": software, "version": version}),
		},
	}
	if function == "AOS" {
		config["hypervisorTypes"] = []string{"AHV"}
	}
	return typed(clusterTypes+"ClusterConfigReference", config)
}

func v4ClusterNetwork() object {
	return typed(clusterTypes+"ClusterNetworkReference", object{"externalAddress": v4IP("127.0.0.1")})
}

// v4IP gives an IPv4 address where either family is allowed.
func v4IP(text string) object {
	return typed("common.v1.config.IPAddress", object{"ipv4": v4Address(text)})
}

var clusterListing = v4Listing{
	filters: []string{
		"extId", "name", "categories", "config/clusterFunction", "config/hypervisorTypes", "config/isAvailable", "config/clusterArch",
		"config/buildInfo/version", "config/operationMode", "vmCount", "nodes/numberOfNodes",
	},
	orders: []string{"name", "config/buildInfo/version", "nodes/numberOfNodes", "vmCount"},
}

func (api *v4API) v4ListClusters(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := api.v4Clusters(r)
	api.mu.Unlock()
	return clusterListing.answer(r, items)
}

func (api *v4API) v4GetCluster(r *v4Request) (*v4Answer, error) {
	id := strings.ToLower(r.PathValue("extId"))
	api.mu.Lock()
	defer api.mu.Unlock()
	for _, item := range api.v4Clusters(r) {
		if item["extId"] == id {
			return &v4Answer{data: item, etag: revision(0).etag()}, nil
		}
	}
	return nil, noSuchEntity("CLU-10202", "Cluster", id)
}

func (api *v4API) v4Host(r *v4Request, pe *PrismElement, host *Host) object {
	return typed(clusterTypes+"Host", object{
		"extId": host.UUID, "hostName": host.Name, "links": selfLinks(r, "config/clusters/"+pe.UUID+"/hosts/"+host.UUID),
		"cluster":  typed(clusterTypes+"ClusterReference", object{"uuid": pe.UUID, "name": pe.Name}),
		"hostType": "HYPER_CONVERGED", "nodeStatus": "NORMAL", "maintenanceState": "normal", "isDegraded": false, "isRebootPending": false,
		"numberOfCpuSockets": 2, "numberOfCpuCores": hostCores, "numberOfCpuThreads": 2 * hostCores, "cpuModel": "simulated",
		"cpuCapacityHz": hostCores * hostHertz, "cpuFrequencyHz": hostHertz, "memorySizeBytes": hostMemoryMiB * mebibyte,
		"hypervisor": typed(clusterTypes+"HypervisorReference", object{
			"fullName": "Nutanix 10.0", "type": "AHV", "numberOfVms": api.load(host), "state": "ACROPOLIS_NORMAL",
			"acropolisConnectionState": "CONNECTED", "externalAddress": v4IP("127.0.0.1"),
		}),
	})
}

var hostListing = v4Listing{
	filters: []string{
		"extId", "hostName", "cluster/uuid", "cluster/name", "hostType", "nodeStatus", "maintenanceState", "hypervisor/type",
		"hypervisor/numberOfVms", "memorySizeBytes", "numberOfCpuCores", "isDegraded",
	},
	orders: []string{"hostName", "cluster/name", "memorySizeBytes", "numberOfCpuCores"},
}

// v4ListHosts lists all hosts, or those of the cluster in the path.
func (api *v4API) v4ListHosts(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items, err := api.v4Hosts(r)
	api.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return hostListing.answer(r, items)
}

func (api *v4API) v4Hosts(r *v4Request) ([]object, error) {
	among := api.elements
	if id := strings.ToLower(r.PathValue("clusterExtId")); id != "" && id != api.central.UUID {
		pe := api.elementByUUID(id)
		if pe == nil {
			return nil, noSuchEntity("CLU-10202", "Cluster", id)
		}
		among = []*PrismElement{pe}
	} else if id != "" {
		among = nil // Prism Central has no hosts of its own
	}
	items := []object{}
	for _, pe := range among {
		for i := range pe.Hosts {
			items = append(items, api.v4Host(r, pe, &pe.Hosts[i]))
		}
	}
	return items, nil
}

func (api *v4API) v4GetHost(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	items, err := api.v4Hosts(r)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(r.PathValue("extId"))
	if i := slices.IndexFunc(items, func(o object) bool { return o["extId"] == id }); i >= 0 {
		return &v4Answer{data: items[i], etag: revision(0).etag()}, nil
	}
	return nil, noSuchEntity("CLU-10203", "Host", id)
}
