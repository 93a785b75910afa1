// Package config is the configuration file of the cloud controller manager. It reads the JSON of Nutanix's own cloud
// controller manager unchanged; what that one does not have is below keys of its own. YAML works too.
package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Config is the content of the file given with --cloud-config.
type Config struct {
	PrismCentral PrismCentral `json:"prismCentral"`
	// EnableCustomLabeling adds the labels nutanix.com/prism-element-{uuid,name} and prism-host-{uuid,name} to nodes.
	EnableCustomLabeling bool `json:"enableCustomLabeling,omitempty"`
	// IgnoredNodeIPs are addresses, ranges ("10.0.0.1-10.0.0.9") and CIDRs that are never addresses of a node.
	IgnoredNodeIPs    []string          `json:"ignoredNodeIPs,omitempty"`
	TopologyDiscovery TopologyDiscovery `json:"topologyDiscovery,omitempty"`

	// ClusterName tells this Kubernetes cluster from all others in the same Prism Central. It is the Cluster API Cluster's
	// name where there is one: VMs of the cluster are found by the category KubernetesClusterName of that value. Required
	// for load balancers and routes, because it marks what is ours.
	ClusterName string `json:"clusterName,omitempty"`
	// ControlPlaneEndpoint is the address of the API server, which is never an address of a node.
	ControlPlaneEndpoint string `json:"controlPlaneEndpoint,omitempty"`
	// InstanceType is what the label node.kubernetes.io/instance-type says.
	InstanceType InstanceType `json:"instanceType,omitempty"`
	LoadBalancer LoadBalancer `json:"loadBalancer,omitempty"`
	Routes       Routes       `json:"routes,omitempty"`
	Client       Client       `json:"client,omitempty"`
}

// PrismCentral says where Prism Central is and how to be let in.
type PrismCentral struct {
	// Address is a host name or IP address without scheme and port.
	Address string `json:"address"`
	// Port defaults to 9440.
	Port     int  `json:"port,omitempty"`
	Insecure bool `json:"insecure,omitempty"`
	// CredentialRef names a Secret with the key "credentials": a JSON list of which the first entry is used.
	CredentialRef *Reference `json:"credentialRef,omitempty"`
	// AdditionalTrustBundle is a PEM bundle, here (kind String) or in a ConfigMap's key "ca.crt".
	AdditionalTrustBundle *TrustBundle `json:"additionalTrustBundle,omitempty"`
}

// Reference names an object. Kind is read for compatibility and not used; an empty namespace is the one of the pod.
type Reference struct {
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// TrustBundle is a reference to certificates, or the certificates.
type TrustBundle struct {
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Data      string `json:"data,omitempty"`
}

// TopologyDiscovery says where zone and region of a node come from.
type TopologyDiscovery struct {
	// Type is Prism (default: region is Prism Central's cluster, zone the Prism Element) or Categories.
	Type               TopologyType        `json:"type,omitempty"`
	TopologyCategories *TopologyCategories `json:"topologyCategories,omitempty"`
}

// TopologyType is a source of zone and region.
type TopologyType string

// Topology types.
const (
	TopologyPrism      TopologyType = "Prism"
	TopologyByCategory TopologyType = "Categories"
)

// TopologyCategories are the category keys whose values are region and zone.
type TopologyCategories struct {
	RegionCategory string `json:"regionCategory"`
	ZoneCategory   string `json:"zoneCategory"`
}

// InstanceType is a way to name the type of an instance.
type InstanceType string

// Instance types: the constant "ahv-vm", or "ahv-<vCPUs>c-<GiB>g".
const (
	InstanceTypeConstant InstanceType = "Constant"
	InstanceTypeSize     InstanceType = "Size"
)

// LoadBalancerType is a way to serve Services of type LoadBalancer.
type LoadBalancerType string

// Load balancer types.
const (
	LoadBalancerNone LoadBalancerType = "none"
	LoadBalancerNLB  LoadBalancerType = "nlb"
	LoadBalancerIPAM LoadBalancerType = "ipam"
)

// LoadBalancer configures how Services of type LoadBalancer are served.
type LoadBalancer struct {
	// Type serves Services that neither name a loadBalancerClass nor have the annotation. Default: none.
	Type LoadBalancerType `json:"type,omitempty"`
	// Classes are the values of spec.loadBalancerClass that this controller serves, and as which type.
	// Default: nutanix.com/nlb and nutanix.com/ipam, each when its section below is there.
	Classes map[string]LoadBalancerType `json:"classes"`
	// NLB and IPAM allow the type: without the section it cannot be used.
	NLB  *NLB  `json:"nlb,omitempty"`
	IPAM *IPAM `json:"ipam,omitempty"`
	// RepairPeriod is how often every load balancer is compared with Prism Central and repaired. Default: 10m.
	RepairPeriod metav1.Duration `json:"repairPeriod,omitzero"`
	// Orphans says what happens to load balancers of this cluster whose Service is gone: Report (default) or Delete.
	Orphans OrphanPolicy `json:"orphans,omitempty"`
}

// OrphanPolicy is what to do with what nobody needs any more.
type OrphanPolicy string

// Orphan policies.
const (
	OrphansReport OrphanPolicy = "Report"
	OrphansDelete OrphanPolicy = "Delete"
)

// NLB configures Nutanix network load balancers, which exist in a VPC.
type NLB struct {
	VPC Identifier `json:"vpc"`
	// Subnet is the overlay subnet that virtual IPs come from.
	Subnet Identifier `json:"subnet"`
	// NodeSubnet is the overlay subnet whose NIC of a node gets the traffic. Default: the node's first NIC in the VPC.
	NodeSubnet *Identifier `json:"nodeSubnet,omitempty"`
	// FloatingIP makes every load balancer reachable from outside through ExternalSubnet, unless the Service says otherwise.
	FloatingIP bool `json:"floatingIP,omitempty"`
	// ExternalSubnet is the NAT subnet that floating IPs come from.
	ExternalSubnet *Identifier `json:"externalSubnet,omitempty"`
	HealthCheck    HealthCheck `json:"healthCheck,omitempty"`
	// IPMode is status.loadBalancer.ingress.ipMode: VIP (default) or Proxy.
	IPMode string `json:"ipMode,omitempty"`
}

// HealthCheck says when a node gets traffic. Times are in seconds. Defaults: 10, 5, 3, 3.
type HealthCheck struct {
	IntervalSeconds  int `json:"intervalSeconds,omitempty"`
	TimeoutSeconds   int `json:"timeoutSeconds,omitempty"`
	SuccessThreshold int `json:"successThreshold,omitempty"`
	FailureThreshold int `json:"failureThreshold,omitempty"`
}

// IPAM configures addresses that are reserved in a Nutanix subnet and announced by something in the cluster.
type IPAM struct {
	// Subnet is the VLAN subnet that addresses come from.
	Subnet Identifier `json:"subnet"`
	// AdditionalSubnets are further VLAN subnets, which a Service may name by annotation. A subnet that was used stays listed
	// until no Service has an address in it: addresses are looked for in listed subnets only.
	AdditionalSubnets []Identifier `json:"additionalSubnets,omitempty"`
	// Announcer is who announces the address: kube-vip (default), metallb or cilium.
	Announcer Announcer `json:"announcer,omitempty"`
}

// Announcer is something in the cluster that answers for addresses of load balancers.
type Announcer string

// Announcers.
const (
	KubeVIP Announcer = "kube-vip"
	MetalLB Announcer = "metallb"
	Cilium  Announcer = "cilium"
)

// Identifier names an object of Prism Central as manifests of Cluster API do.
type Identifier struct {
	// Type is name or uuid.
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	UUID string `json:"uuid,omitempty"`
}

// Routes configures routes to the pods of each node in the route table of a VPC.
type Routes struct {
	// Enabled is false by default. With it, --configure-cloud-routes and --cluster-cidr must be given.
	Enabled bool       `json:"enabled,omitempty"`
	VPC     Identifier `json:"vpc,omitempty"`
}

// Client bounds what is asked of Prism Central.
type Client struct {
	// Timeout bounds one request. Default: 30s.
	Timeout metav1.Duration `json:"timeout,omitzero"`
	// TaskTimeout bounds waiting for the task of a change. Default: 2m.
	TaskTimeout metav1.Duration `json:"taskTimeout,omitzero"`
	// CacheTTL is how long a list of all VMs, Prism Elements or categories serves all nodes. Default: 10s.
	CacheTTL metav1.Duration `json:"cacheTTL,omitzero"`
	// RequestsPerSecond and Burst limit requests. Defaults: 10 and 20.
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	Burst             int     `json:"burst,omitempty"`
}
