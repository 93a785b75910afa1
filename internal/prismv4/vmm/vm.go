// Package vmm decodes virtual machines of the v4 API. VMs are listed often, and decoding them with the model of the SDK takes twenty times the
// memory.
package vmm

import "strings"

// Path is the path of the list of virtual machines.
const Path = "/ahv/config/vms"

// VM contains the fields of a virtual machine that are read.
type VM struct {
	Reference
	Name              string      `json:"name"`
	Description       string      `json:"description"`
	BIOSUUID          string      `json:"biosUuid"`
	PowerState        string      `json:"powerState"`
	CustomAttributes  []string    `json:"customAttributes"`
	Cluster           Reference   `json:"cluster"`
	Host              Reference   `json:"host"`
	NumSockets        int         `json:"numSockets"`
	NumCoresPerSocket int         `json:"numCoresPerSocket"`
	NumThreadsPerCore int         `json:"numThreadsPerCore"`
	MemorySizeBytes   int64       `json:"memorySizeBytes"`
	Categories        []Reference `json:"categories"`
	NICs              []NIC       `json:"nics"`
}

// Reference is an object with a UUID.
type Reference struct {
	ExtID string `json:"extId"`
}

// UUID returns the UUID in lower case.
func (r *Reference) UUID() string { return strings.ToLower(r.ExtID) }

// CategoryUUIDs returns the UUIDs of the categories.
func (v *VM) CategoryUUIDs() []string {
	var uuids []string
	for _, category := range v.Categories {
		uuids = append(uuids, category.UUID())
	}
	return uuids
}
