package instance

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/internal/providerid"
)

// identity is what a Node says about which virtual machine it is. UUIDs are in lower case, and empty when the Node does not say.
type identity struct {
	// provider is from spec.providerID; system from status.nodeInfo.systemUUID, which on AHV is the BIOS UUID.
	provider, system string
	name             string
}

// identify reads a Node. A provider ID that names no virtual machine is passed over, as some machine templates write one;
// one of another provider means that the Node is not ours.
func identify(node *corev1.Node) (identity, error) {
	if node == nil {
		return identity{}, &Problem{ReasonNoIdentity, "there is no node"}
	}
	id := identity{name: node.Name}
	id.provider, _ = providerid.Parse(node.Spec.ProviderID)
	id.system, _ = providerid.Parse(providerid.Prefix + node.Status.NodeInfo.SystemUUID)
	if given := node.Spec.ProviderID; id.provider == "" && given != "" && !hasOurPrefix(given) {
		return identity{}, &Problem{ReasonNoIdentity, fmt.Sprintf(
			"spec.providerID %q is not of this provider (%s<UUID>): the node belongs to another cloud controller manager, "+
				"or has to be deleted and registered again", given, providerid.Prefix)}
	}
	if id == (identity{}) {
		return identity{}, &Problem{ReasonNoIdentity,
			"the node has neither a provider ID, nor a system UUID, nor a name: nothing says which virtual machine it is"}
	}
	return id, nil
}

func hasOurPrefix(text string) bool {
	return len(text) >= len(providerid.Prefix) && strings.EqualFold(text[:len(providerid.Prefix)], providerid.Prefix)
}

// uuids are those of the node, each once.
func (id identity) uuids() []string {
	var uuids []string
	for _, uuid := range []string{id.provider, id.system} {
		if uuid != "" && !slices.Contains(uuids, uuid) {
			uuids = append(uuids, uuid)
		}
	}
	return uuids
}

func (id identity) has(uuid string) bool {
	return uuid != "" && (uuid == id.provider || uuid == id.system)
}

func providerIDOf(vm nutanix.VM) string { return providerid.Format(vm.ProviderUUID()) }

// match gives the virtual machines that are the node's by the first rule that any satisfies: by provider ID, by system UUID, by
// BIOS UUID. More than one means that nobody can tell.
func (id identity) match(vms []nutanix.VM) []nutanix.VM {
	for _, rule := range []func(nutanix.VM) bool{
		func(vm nutanix.VM) bool { return id.provider != "" && vm.ProviderUUID() == id.provider },
		func(vm nutanix.VM) bool {
			return id.system != "" && (vm.UUID == id.system || vm.ProviderUUID() == id.system)
		},
		func(vm nutanix.VM) bool { return id.has(vm.BIOSUUID) },
	} {
		var found []nutanix.VM
		for _, vm := range vms {
			if rule(vm) {
				found = append(found, vm)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// denies reports whether a virtual machine that has the node's name says that it is another: by its BIOS UUID, which a guest
// sees as its system UUID, or by its attribute.
func (id identity) denies(vm nutanix.VM) bool {
	if len(id.uuids()) == 0 {
		return false
	}
	otherBIOS := vm.BIOSUUID != "" && id.system != "" && !id.has(vm.BIOSUUID)
	otherProvider := vm.ProviderUUID() != vm.UUID && !id.has(vm.ProviderUUID())
	return otherBIOS || otherProvider
}
