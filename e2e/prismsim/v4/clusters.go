package v4

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const clusterTypes = "clustermgmt.v4.config."

// hostCores and hostHertz are the number of CPU cores and the CPU frequency of every host.
const (
	hostCores = 32
	hostHertz = 2_500_000_000
)

func (api *API) clusterRoutes(r *Router) {
	const ns = "clustermgmt"
	r.Handle("GET", ns, "config/clusters", clusterTypes+"ListClustersApiResponse", api.listClusters)
	r.Handle("GET", ns, "config/clusters/{extId}", clusterTypes+"GetClusterApiResponse", api.getCluster)
	r.Handle("GET", ns, "config/hosts", clusterTypes+"ListHostsApiResponse", api.listHosts)
	r.Handle("GET", ns, "config/clusters/{clusterExtId}/hosts", clusterTypes+"ListHostsByClusterIdApiResponse", api.listHosts)
	r.Handle("GET", ns, "config/clusters/{clusterExtId}/hosts/{extId}", clusterTypes+"GetHostApiResponse", api.getHost)
}

// clusterObjects returns the Prism Elements, followed by the cluster of Prism Central itself. The caller holds the
// mutex.
func (api *API) clusterObjects(r *Request) []Object {
	out := []Object{}
	for _, pe := range api.PrismElements {
		out = append(out, api.elementObject(r, pe))
	}
	pc := api.PrismCentral
	return append(out, Typed(clusterTypes+"Cluster", Object{
		"extId": pc.UUID, "name": pc.Name, "links": SelfLinks(r, "config/clusters/"+pc.UUID),
		"config": clusterConfig("PRISM_CENTRAL", "PRISM_CENTRAL", pc.Version, true), "network": clusterNetwork(),
		"nodes": Typed(clusterTypes+"NodeReference", Object{"numberOfNodes": 1}),
	}))
}

func (api *API) elementObject(r *Request, pe *inventory.PrismElement) Object {
	nodes, vms := []Object{}, 0
	for _, host := range pe.Hosts {
		nodes = append(nodes, Typed(clusterTypes+"NodeListItemReference", Object{"nodeUuid": host.UUID, "hostIp": ipAddress("127.0.0.1")}))
	}
	for _, m := range api.VMs.All {
		if m.Exists && m.PrismElement == pe {
			vms++
		}
	}
	out := Typed(clusterTypes+"Cluster", Object{
		"extId": pe.UUID, "name": pe.Name, "vmCount": vms, "links": SelfLinks(r, "config/clusters/"+pe.UUID),
		"config": clusterConfig("AOS", "NOS", pe.Version, api.Connected(pe)), "network": clusterNetwork(),
		"nodes": Typed(clusterTypes+"NodeReference", Object{"numberOfNodes": len(nodes), "nodeList": nodes}),
	})
	if ids := api.CategoryIDs(pe.Categories); len(ids) > 0 {
		out["categories"] = ids
	}
	return out
}

func clusterConfig(function, software, version string, available bool) Object {
	config := Object{
		"clusterFunction": []string{function}, "isAvailable": available, "timezone": "UTC", "isLts": false, "redundancyFactor": 2,
		"clusterArch": "X86_64", "operationMode": "NORMAL", "incarnationId": 1,
		"buildInfo": Typed(clusterTypes+"BuildReference", Object{"version": version, "fullVersion": version, "buildType": "release"}),
		"clusterSoftwareMap": []Object{
			Typed(clusterTypes+"SoftwareMapReference", Object{"softwareType": software, "version": version}),
		},
	}
	if function == "AOS" {
		config["hypervisorTypes"] = []string{"AHV"}
	}
	return Typed(clusterTypes+"ClusterConfigReference", config)
}

func clusterNetwork() Object {
	return Typed(clusterTypes+"ClusterNetworkReference", Object{"externalAddress": ipAddress("127.0.0.1")})
}

// SingleAddress returns an IPv4 address with the prefix length 32, or an IPv6 address with the prefix length 128.
func SingleAddress(text string) Object {
	address := ipam.Address(text)
	name := "common.v1.config.IPv6Address"
	if address.Is4() {
		name = "common.v1.config.IPv4Address"
	}
	return Typed(name, Object{"value": text, "prefixLength": address.BitLen()})
}

// ipAddress returns an IPv4 address as an IPAddress object.
func ipAddress(text string) Object {
	return Typed("common.v1.config.IPAddress", Object{"ipv4": SingleAddress(text)})
}

var clusterListing = Listing{
	Filters: []string{
		"extId", "name", "categories", "config/clusterFunction", "config/hypervisorTypes", "config/isAvailable", "config/clusterArch",
		"config/buildInfo/version", "config/operationMode", "vmCount", "nodes/numberOfNodes",
	},
	Orders: []string{"name", "config/buildInfo/version", "nodes/numberOfNodes", "vmCount"},
}

func (api *API) listClusters(r *Request) (*Response, error) {
	api.Mu.Lock()
	items := api.clusterObjects(r)
	api.Mu.Unlock()
	return clusterListing.Respond(r, items)
}

func (api *API) getCluster(r *Request) (*Response, error) {
	id := strings.ToLower(r.PathValue("extId"))
	api.Mu.Lock()
	defer api.Mu.Unlock()
	for _, item := range api.clusterObjects(r) {
		if item["extId"] == id {
			return &Response{Data: item, ETag: model.Revision(0).ETag()}, nil
		}
	}
	return nil, NoSuchEntity("CLU-10202", "Cluster", id)
}

func (api *API) hostObject(r *Request, pe *inventory.PrismElement, host *inventory.Host) Object {
	return Typed(clusterTypes+"Host", Object{
		"extId": host.UUID, "hostName": host.Name, "links": SelfLinks(r, "config/clusters/"+pe.UUID+"/hosts/"+host.UUID),
		"cluster":  Typed(clusterTypes+"ClusterReference", Object{"uuid": pe.UUID, "name": pe.Name}),
		"hostType": "HYPER_CONVERGED", "nodeStatus": "NORMAL", "maintenanceState": "normal", "isDegraded": false, "isRebootPending": false,
		"numberOfCpuSockets": 2, "numberOfCpuCores": hostCores, "numberOfCpuThreads": 2 * hostCores, "cpuModel": "simulated",
		"cpuCapacityHz": hostCores * hostHertz, "cpuFrequencyHz": hostHertz, "memorySizeBytes": model.HostMemoryMiB * wire.Mebibyte,
		"hypervisor": Typed(clusterTypes+"HypervisorReference", Object{
			"fullName": "Nutanix 10.0", "type": "AHV", "numberOfVms": api.VMCount(host), "state": "ACROPOLIS_NORMAL",
			"acropolisConnectionState": "CONNECTED", "externalAddress": ipAddress("127.0.0.1"),
		}),
	})
}

var hostListing = Listing{
	Filters: []string{
		"extId", "hostName", "cluster/uuid", "cluster/name", "hostType", "nodeStatus", "maintenanceState", "hypervisor/type",
		"hypervisor/numberOfVms", "memorySizeBytes", "numberOfCpuCores", "isDegraded",
	},
	Orders: []string{"hostName", "cluster/name", "memorySizeBytes", "numberOfCpuCores"},
}

// listHosts returns all hosts. If the path contains a cluster, it returns only the hosts of that cluster.
func (api *API) listHosts(r *Request) (*Response, error) {
	api.Mu.Lock()
	items, err := api.hostObjects(r)
	api.Mu.Unlock()
	if err != nil {
		return nil, err
	}
	return hostListing.Respond(r, items)
}

func (api *API) hostObjects(r *Request) ([]Object, error) {
	among := api.PrismElements
	if id := strings.ToLower(r.PathValue("clusterExtId")); id != "" && id != api.PrismCentral.UUID {
		pe := api.PrismElementByUUID(id)
		if pe == nil {
			return nil, NoSuchEntity("CLU-10202", "Cluster", id)
		}
		among = []*inventory.PrismElement{pe}
	} else if id != "" {
		among = nil // Prism Central has no hosts
	}
	items := []Object{}
	for _, pe := range among {
		for i := range pe.Hosts {
			items = append(items, api.hostObject(r, pe, &pe.Hosts[i]))
		}
	}
	return items, nil
}

func (api *API) getHost(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	items, err := api.hostObjects(r)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(r.PathValue("extId"))
	if i := slices.IndexFunc(items, func(o Object) bool { return o["extId"] == id }); i >= 0 {
		return &Response{Data: items[i], ETag: model.Revision(0).ETag()}, nil
	}
	return nil, NoSuchEntity("CLU-10203", "Host", id)
}
