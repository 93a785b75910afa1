package renderer

import "github.com/capnt/capnt/tfmodules"

// API is a generation of the Prism API. It determines the modules and the resource types of a workspace. The empty value means APIV3.
type API string

// Prism APIs. APIV4 requires version 2.4 of the provider or later.
const (
	APIV3 API = tfmodules.APIV3
	APIV4 API = tfmodules.APIV4
)

// orDefault returns the API, or APIV3 if it is empty.
func (a API) orDefault() API {
	if a == "" {
		return APIV3
	}
	return a
}

// Addresses of resources in the rendered workspaces with the v3 API.
const (
	MachineAddress       = "module.machine.nutanix_virtual_machine.this"
	CategoryKeyAddress   = "module.cluster.nutanix_category_key.this"
	CategoryValueAddress = "module.cluster.nutanix_category_value.this"
)

// Addresses of resources in the rendered workspaces with the v4 API, in which one resource is the category with its key and value.
const (
	MachineAddressV4  = "module.machine.nutanix_virtual_machine_v2.this"
	CategoryAddressV4 = "module.cluster.nutanix_category_v2.this"

	// ControlPlaneCategoryAddress and ControlPlanePolicyAddress exist only with Cluster.ControlPlane.
	ControlPlaneCategoryAddress = "module.cluster.nutanix_category_v2.control_plane[0]"
	ControlPlanePolicyAddress   = "module.cluster.nutanix_vm_anti_affinity_policy_v2.control_plane[0]"
)

// MachineAddress returns the address of the VM in the workspace of a machine.
func (a API) MachineAddress() string {
	if a == APIV4 {
		return MachineAddressV4
	}
	return MachineAddress
}

// Other returns the other API.
func (a API) Other() API {
	if a == APIV4 {
		return APIV3
	}
	return APIV4
}

// CategoryAddresses returns the addresses of the category in the workspace of a cluster.
func (a API) CategoryAddresses() []string {
	if a == APIV4 {
		return []string{CategoryAddressV4}
	}
	return []string{CategoryKeyAddress, CategoryValueAddress}
}
