package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/nutanix"
)

// clusterCategory is the category key whose values are names of Kubernetes clusters; every virtual machine that Cluster API
// makes has it.
const clusterCategory = "KubernetesClusterName"

// errMissing: no virtual machine is the node's. It is not known yet whether that can be relied upon.
var errMissing = errors.New("no virtual machine in Prism Central has the node's UUIDs, BIOS UUID or name")

// source is where virtual machines are read: what serves all nodes, or Prism Central itself.
type source struct {
	vm         func(ctx context.Context, uuid string) (nutanix.VM, error)
	ofCategory func(ctx context.Context, uuid string) ([]nutanix.VM, error)
}

func (i *Instances) shared() source { return source{i.singles.get, i.Cache.VMsOfCategory} }

func (i *Instances) fresh() source {
	return source{i.API.VM, func(ctx context.Context, uuid string) ([]nutanix.VM, error) {
		return i.API.ListVMs(ctx, nutanix.VMFilter{CategoryUUID: uuid})
	}}
}

// find gives the node's virtual machine, as it was at most a moment ago.
func (i *Instances) find(ctx context.Context, node *corev1.Node) (nutanix.VM, error) {
	id, err := identify(node)
	if err != nil {
		return nutanix.VM{}, err
	}
	return i.locate(ctx, id, i.shared())
}

// locate looks among the virtual machines of the cluster first, which is one list for all nodes; then it asks for this one.
func (i *Instances) locate(ctx context.Context, id identity, from source) (nutanix.VM, error) {
	listed, err := i.ofCluster(ctx, from)
	if err != nil {
		return nutanix.VM{}, err
	}
	for _, look := range []func() ([]nutanix.VM, error){
		func() ([]nutanix.VM, error) { return id.match(listed), nil },
		func() ([]nutanix.VM, error) { return i.byUUID(ctx, id, from) },
		func() ([]nutanix.VM, error) { return i.byBIOSUUID(ctx, id) },
		func() ([]nutanix.VM, error) { return i.byName(ctx, id, listed) },
	} {
		found, err := look()
		if err != nil {
			return nutanix.VM{}, err
		}
		if len(found) > 0 {
			return only(found)
		}
	}
	return nutanix.VM{}, errMissing
}

// ofCluster gives the virtual machines with the category of the cluster; none when the configuration names no cluster or there
// is no such category.
func (i *Instances) ofCluster(ctx context.Context, from source) ([]nutanix.VM, error) {
	name := i.Config().ClusterName
	if name == "" {
		return nil, nil
	}
	isIt := func(c nutanix.Category) bool { return c.Value == name }
	categories, err := i.categories.get(ctx, clusterCategory, func(all []nutanix.Category) bool { return slices.ContainsFunc(all, isIt) })
	if err != nil {
		return nil, fmt.Errorf("looking for category %s:%s: %w", clusterCategory, name, err)
	}
	at := slices.IndexFunc(categories, isIt)
	if at < 0 {
		return nil, nil
	}
	vms, err := from.ofCategory(ctx, categories[at].UUID)
	if err != nil {
		return nil, fmt.Errorf("listing virtual machines of category %s:%s: %w", clusterCategory, name, err)
	}
	return vms, nil
}

// byUUID asks for the virtual machines with the node's UUIDs, until one is the node's.
func (i *Instances) byUUID(ctx context.Context, id identity, from source) ([]nutanix.VM, error) {
	var others []string
	for _, uuid := range id.uuids() {
		vm, err := from.vm(ctx, uuid)
		switch {
		case nutanix.Is(err, nutanix.NotFound):
		case err != nil:
			return nil, fmt.Errorf("asking for virtual machine %s: %w", uuid, err)
		case len(id.match([]nutanix.VM{vm})) == 0:
			others = append(others, describeVM(vm))
		default:
			return []nutanix.VM{vm}, nil
		}
	}
	if len(others) > 0 {
		return nil, impostor("has the UUID of the node's provider ID, but says by its attribute that it is another's", others)
	}
	return nil, nil
}

func (i *Instances) byBIOSUUID(ctx context.Context, id identity) ([]nutanix.VM, error) {
	var found []nutanix.VM
	for _, uuid := range id.uuids() {
		vms, err := i.API.ListVMs(ctx, nutanix.VMFilter{BIOSUUID: uuid})
		if err != nil {
			return nil, fmt.Errorf("looking for a virtual machine with BIOS UUID %s: %w", uuid, err)
		}
		found = append(found, vms...)
	}
	return found, nil
}

// byName is the last resort: a name is not an identity. Names are not unique in Prism Central, so that what denies to be the node
// and is not among those listed of the cluster is another cluster's, and the node's own is missing.
func (i *Instances) byName(ctx context.Context, id identity, listed []nutanix.VM) ([]nutanix.VM, error) {
	if id.name == "" {
		return nil, nil
	}
	named, err := i.API.ListVMs(ctx, nutanix.VMFilter{Name: id.name})
	if err != nil {
		return nil, fmt.Errorf("looking for a virtual machine named %s: %w", id.name, err)
	}
	if sure := id.match(named); len(sure) > 0 {
		return sure, nil
	}
	if len(named) == 0 || slices.ContainsFunc(named, func(vm nutanix.VM) bool { return !id.denies(vm) }) {
		return named, nil
	}
	problem := impostor("has the node's name, but another BIOS UUID or attribute", describeVMs(named))
	ours := func(vm nutanix.VM) bool {
		return slices.ContainsFunc(listed, func(l nutanix.VM) bool { return l.UUID == vm.UUID })
	}
	if len(listed) == 0 || slices.ContainsFunc(named, ours) {
		return nil, problem
	}
	return nil, fmt.Errorf("%w: %w", errMissing, problem)
}

func impostor(what string, vms []string) error {
	return &Problem{ReasonImpostor, fmt.Sprintf("%s %s: the node is left as it is; rename the virtual machine, or delete the Node "+
		"if its own virtual machine is gone", strings.Join(vms, ", "), what)}
}

// only gives the one virtual machine there is.
func only(vms []nutanix.VM) (nutanix.VM, error) {
	seen := map[string]string{}
	for _, vm := range vms {
		seen[vm.UUID] = describeVM(vm)
	}
	if len(seen) == 1 {
		return vms[0], nil
	}
	var texts []string
	for _, text := range seen {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return nutanix.VM{}, &Problem{ReasonAmbiguous, fmt.Sprintf("several virtual machines could be the node's: %s. Remove or rename "+
		"those that are not", strings.Join(texts, ", "))}
}

func describeVMs(vms []nutanix.VM) []string {
	texts := make([]string, len(vms))
	for at, vm := range vms {
		texts[at] = describeVM(vm)
	}
	return texts
}

func describeVM(vm nutanix.VM) string {
	return fmt.Sprintf("virtual machine %s (%s)", vm.UUID, vm.Name)
}
