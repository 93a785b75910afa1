package nlb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/internal/providerid"
)

// skipped is a node that gets no traffic, and why.
type skipped struct {
	node *corev1.Node
	why  string
}

// pick chooses the NIC of a virtual machine that gets traffic: the first in that subnet, or in the VPC if it is "".
func pick(vm nutanix.VM, n network, nodeSubnetUUID string) (nicUUID string, ok bool) {
	for _, nic := range vm.NICs {
		if nic.SubnetUUID == nodeSubnetUUID || (nodeSubnetUUID == "" && n.holds(nic.SubnetUUID)) {
			return nic.UUID, true
		}
	}
	return "", false
}

// targets gives the NICs of the nodes that a selector chooses, sorted, and the nodes that have none. It fails when Prism
// Central does not say what virtual machines there are: then the targets stay as they are.
func (b *Backend) targets(ctx context.Context, n network, nodeSubnetUUID string, nodes []*corev1.Node, selector labels.Selector,
) (nics []string, without []skipped, err error) {
	chosen := slices.DeleteFunc(slices.Clone(nodes), func(node *corev1.Node) bool { return !selector.Matches(labels.Set(node.Labels)) })
	if len(chosen) == 0 {
		return nil, nil, nil
	}
	find, err := b.machines(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, node := range chosen {
		uuid, ok := providerid.Parse(node.Spec.ProviderID)
		if !ok {
			without = append(without, skipped{node, fmt.Sprintf("its provider ID %q names no virtual machine", node.Spec.ProviderID)})
			continue
		}
		vm, err := find(ctx, uuid, node)
		if nutanix.Is(err, nutanix.NotFound) {
			without = append(without, skipped{node, "its virtual machine " + uuid + " does not exist"})
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("asking for the virtual machine of node %s: %w", node.Name, err)
		}
		if nic, ok := pick(vm, n, nodeSubnetUUID); ok {
			nics = append(nics, nic)
		} else {
			without = append(without, skipped{node, noNIC(vm, n, nodeSubnetUUID)})
		}
	}
	slices.Sort(nics)
	return slices.Compact(nics), without, nil
}

func noNIC(vm nutanix.VM, n network, nodeSubnetUUID string) string {
	if nodeSubnetUUID != "" {
		return fmt.Sprintf("its virtual machine %s has no NIC in subnet %s (loadBalancer.nlb.nodeSubnet)", vm.Name, nodeSubnetUUID)
	}
	return fmt.Sprintf("its virtual machine %s has no NIC in VPC %s (loadBalancer.nlb.vpc)", vm.Name, n.vpc.Name)
}

// categoryKey is the category that Cluster API's Nutanix providers give to the virtual machines of a cluster.
const categoryKey = "KubernetesClusterName"

// finder gives the virtual machine of a node, by the UUID in its provider ID.
type finder func(ctx context.Context, uuid string, node *corev1.Node) (nutanix.VM, error)

// machines lists the virtual machines of the cluster with one list and gives a look-up in it. What is not in the list, because a
// virtual machine lacks the category, is asked for by itself.
func (b *Backend) machines(ctx context.Context) (finder, error) {
	categories, err := b.options.VMs.Categories(ctx, categoryKey)
	if err != nil {
		return nil, fmt.Errorf("listing values of category %s: %w", categoryKey, err)
	}
	byUUID := map[string][]nutanix.VM{}
	for _, category := range categories {
		if category.Value != b.options.Config().ClusterName {
			continue
		}
		vms, err := b.options.VMs.VMsOfCategory(ctx, category.UUID)
		if err != nil {
			return nil, fmt.Errorf("listing virtual machines of the cluster: %w", err)
		}
		for _, vm := range vms {
			byUUID[vm.ProviderUUID()] = append(byUUID[vm.ProviderUUID()], vm)
		}
	}
	return func(ctx context.Context, uuid string, node *corev1.Node) (nutanix.VM, error) {
		if vms := byUUID[uuid]; len(vms) > 0 {
			return only(node, vms)
		}
		vm, err := b.options.API.VM(ctx, uuid)
		if !nutanix.Is(err, nutanix.NotFound) {
			return vm, err
		}
		return b.moved(ctx, uuid, node, err)
	}, nil
}

// moved gives the virtual machine that the node is when it has another UUID since a failover, and no category: the guest goes on
// with the system UUID that it was born with. Without one it is missing.
func (b *Backend) moved(ctx context.Context, uuid string, node *corev1.Node, missing error) (nutanix.VM, error) {
	system, ok := providerid.Parse(providerid.Prefix + node.Status.NodeInfo.SystemUUID)
	if !ok {
		system = uuid
	}
	vms, err := b.options.API.ListVMs(ctx, nutanix.VMFilter{BIOSUUID: system})
	if err != nil {
		return nutanix.VM{}, err
	}
	vms = slices.DeleteFunc(vms, func(vm nutanix.VM) bool { return vm.ProviderUUID() != uuid && vm.ProviderUUID() != vm.UUID })
	if len(vms) == 0 {
		return nutanix.VM{}, missing
	}
	return only(node, vms)
}

// only gives the one virtual machine that there is. Among several nobody can tell: then the targets stay as they are.
func only(node *corev1.Node, vms []nutanix.VM) (nutanix.VM, error) {
	if len(vms) == 1 {
		return vms[0], nil
	}
	names := make([]string, 0, len(vms))
	for _, vm := range vms {
		names = append(names, vm.UUID+" ("+vm.Name+")")
	}
	slices.Sort(names)
	return nutanix.VM{}, refuse(ReasonAmbiguous, nil, "several virtual machines could be node %s: %s. "+
		"Remove those that are not, or their attribute providerID", node.Name, strings.Join(names, ", "))
}
