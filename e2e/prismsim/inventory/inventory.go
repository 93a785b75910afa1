// Package inventory reads and validates the initial entities of a simulated Prism Central.
package inventory

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

const ModeVirtual = "VIRTUAL"

// Inventory contains the initial entities of a simulated Prism Central. UUIDs are optional. If a UUID is missing, it is
// derived from kind and name, so that the same file always results in the same UUIDs.
type Inventory struct {
	PrismCentral  PrismCentral   `json:"prismCentral,omitempty"`
	PrismElements []PrismElement `json:"prismElements"`
	Subnets       []Subnet       `json:"subnets,omitempty"`
	VPCs          []VPC          `json:"vpcs,omitempty"`
	Images        []Image        `json:"images,omitempty"`
	Projects      []Project      `json:"projects,omitempty"`
	Categories    []Category     `json:"categories,omitempty"`
}

// PrismCentral is the entry of Prism Central itself in the list of clusters.
type PrismCentral struct {
	Name    string `json:"name,omitempty"`    // default "prism-central"
	UUID    string `json:"uuid,omitempty"`    //
	Version string `json:"version,omitempty"` // default "pc.2024.3.0.1"
	// APIVersion is the newest v4 API version that the server provides: v4.0, v4.1, v4.2 (default) or v4.3. Only the
	// namespaces prism and networking have v4.3. APIVersion does not depend on Version.
	APIVersion string `json:"apiVersion,omitempty"`
}

// PrismElement is an AHV cluster.
type PrismElement struct {
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
	// Version is the AOS version, default 7.0.
	Version string `json:"version,omitempty"`
	// Memory limits the total memory of the VMs that are on. Zero means no limit.
	Memory            resource.Quantity  `json:"memory,omitempty"`
	Hosts             []Host             `json:"hosts,omitempty"`             // default: one, "<name>-host-1"
	StorageContainers []StorageContainer `json:"storageContainers,omitempty"` // default: one, "default"
	// Categories are the categories of the Prism Element itself: the values by key. Categories that do not exist are
	// created.
	Categories map[string][]string `json:"categories,omitempty"`
}

// Host is a hypervisor node of a Prism Element.
type Host struct {
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
	GPUs []GPU  `json:"gpus,omitempty"`
}

// GPU describes one or more identical GPUs of a host.
type GPU struct {
	Name     string `json:"name"`
	Vendor   string `json:"vendor"` // NVIDIA, INTEL, AMD
	Mode     string `json:"mode"`   // PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE, VIRTUAL
	DeviceID int64  `json:"deviceID"`
	Count    int    `json:"count,omitempty"` // number of physical GPUs, default 1
	// Fraction is the number of virtual GPUs with this profile that fit on one physical GPU (VIRTUAL only, default 1).
	Fraction       int64 `json:"fraction,omitempty"`
	FrameBufferMiB int64 `json:"frameBufferMiB,omitempty"`
}

// StorageContainer is a storage container of one Prism Element.
type StorageContainer struct {
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
}

// Subnet is a VLAN subnet of a Prism Element or an overlay subnet. An overlay subnet belongs to a VPC and to no Prism
// Element.
type Subnet struct {
	Name         string `json:"name"`
	UUID         string `json:"uuid,omitempty"`
	PrismElement string `json:"prismElement,omitempty"` // name; required for VLAN, forbidden for OVERLAY
	Type         string `json:"type,omitempty"`         // VLAN (default) or OVERLAY
	VPC          string `json:"vpc,omitempty"`          // name; OVERLAY only, default: a new VPC
	VLANID       int64  `json:"vlanID,omitempty"`
	CIDR         string `json:"cidr,omitempty"`
	Gateway      string `json:"gateway,omitempty"` // default: first address of the CIDR
	// IPAM makes Prism assign addresses when a VM is created. If IPAM is false, the server adds LEARNED addresses after
	// power-on, as with a DHCP server that Prism does not manage. If Pools is empty, VMs get no addresses.
	IPAM  bool     `json:"ipam,omitempty"`
	Pools []string `json:"pools,omitempty"` // "first-last"
	IPv6  *IPv6    `json:"ipv6,omitempty"`
	// External makes a VLAN with IPAM an external subnet of VPCs. If NAT is true (default), VPCs translate addresses in
	// this subnet.
	External bool  `json:"external,omitempty"`
	NAT      *bool `json:"nat,omitempty"`
}

// Types of subnets.
const (
	typeVLAN    = "VLAN"
	TypeOverlay = "OVERLAY"
)

// IPv6 makes each NIC get one LEARNED IPv6 address after power-on.
type IPv6 struct {
	CIDR  string   `json:"cidr"`
	Pools []string `json:"pools"`
}

// Image is a disk or ISO image.
type Image struct {
	Name    string            `json:"name"`
	UUID    string            `json:"uuid,omitempty"`
	Type    string            `json:"type,omitempty"`    // DISK_IMAGE (default) or ISO_IMAGE
	Size    resource.Quantity `json:"size,omitempty"`    // default 2Gi
	Created *time.Time        `json:"created,omitempty"` // default: the start of the server
}

// Project is a Prism project. The project "_internal" always exists and is the default.
type Project struct {
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
}

// Category is a category key with its values.
type Category struct {
	Key         string   `json:"key"`
	Description string   `json:"description,omitempty"`
	Values      []string `json:"values,omitempty"`
}

// Load reads an inventory file.
func Load(path string) (*Inventory, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading inventory: %w", err)
	}
	inv, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading inventory %s: %w", path, err)
	}
	return inv, nil
}

// Parse reads an inventory in YAML. It rejects unknown fields, sets defaults and validates references.
func Parse(raw []byte) (*Inventory, error) {
	inv := &Inventory{}
	if err := yaml.UnmarshalStrict(raw, inv); err != nil {
		return nil, fmt.Errorf("parsing YAML: %w", err)
	}
	return inv.complete()
}

// uuidSpace is the namespace of derived UUIDs.
var uuidSpace = uuid.MustParse("6f6b2a3e-5f0d-5c1e-9d53-0d6c1a7e2b11")

// DeriveUUID returns a UUID that depends only on kind and name.
func DeriveUUID(kind, name string) string {
	return uuid.NewSHA1(uuidSpace, []byte(kind+"/"+name)).String()
}

// defaults sets fields that the file omits.
func (inv *Inventory) defaults() {
	inv.PrismCentral.Name = cmp.Or(inv.PrismCentral.Name, "prism-central")
	inv.PrismCentral.Version = cmp.Or(inv.PrismCentral.Version, "pc.2024.3.0.1")
	inv.PrismCentral.APIVersion = cmp.Or(inv.PrismCentral.APIVersion, "v4.2")
	inv.PrismCentral.UUID = cmp.Or(inv.PrismCentral.UUID, DeriveUUID("prism_central", inv.PrismCentral.Name))
	for i := range inv.PrismElements {
		inv.PrismElements[i].defaults()
	}
	for i := range inv.Subnets {
		n := &inv.Subnets[i]
		n.Type = cmp.Or(n.Type, typeVLAN)
		n.UUID = cmp.Or(n.UUID, DeriveUUID("subnet", n.PrismElement+"/"+n.Name))
	}
	inv.defaultVPCs()
	for i := range inv.Images {
		inv.Images[i].SetDefaults(i)
	}
	for i := range inv.Projects {
		inv.Projects[i].UUID = cmp.Or(inv.Projects[i].UUID, DeriveUUID("project", inv.Projects[i].Name))
	}
}

func (pe *PrismElement) defaults() {
	pe.UUID = cmp.Or(pe.UUID, DeriveUUID("cluster", pe.Name))
	pe.Version = cmp.Or(pe.Version, "7.0")
	if len(pe.Hosts) == 0 {
		pe.Hosts = []Host{{Name: pe.Name + "-host-1"}}
	}
	if len(pe.StorageContainers) == 0 {
		pe.StorageContainers = []StorageContainer{{Name: "default"}}
	}
	for i := range pe.Hosts {
		pe.Hosts[i].UUID = cmp.Or(pe.Hosts[i].UUID, DeriveUUID("host", pe.Name+"/"+pe.Hosts[i].Name))
		for j := range pe.Hosts[i].GPUs {
			g := &pe.Hosts[i].GPUs[j]
			g.Count = max(g.Count, 1)
			g.Fraction = max(g.Fraction, 1)
		}
	}
	for i := range pe.StorageContainers {
		pe.StorageContainers[i].UUID = cmp.Or(pe.StorageContainers[i].UUID, DeriveUUID("storage_container", pe.Name+"/"+pe.StorageContainers[i].Name))
	}
}

// SetDefaults sets fields that the file omits. The UUID depends on the position in the list, because several images may
// have the same name.
func (img *Image) SetDefaults(position int) {
	img.Type = cmp.Or(img.Type, "DISK_IMAGE")
	img.UUID = cmp.Or(img.UUID, DeriveUUID("image", fmt.Sprintf("%d/%s", position, img.Name)))
	if img.Size.IsZero() {
		img.Size = resource.MustParse("2Gi")
	}
}
