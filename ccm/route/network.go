package route

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// clusterCategory is the category key whose values are names of Kubernetes clusters.
const clusterCategory = "KubernetesClusterName"

// networkLifetime is how long it is believed which route table and subnets the VPC has.
const networkLifetime = 10 * time.Minute

// network is the VPC, and which category the cluster's virtual machines have.
type network struct {
	of           config.Identifier
	cluster      string
	mark         string
	read         time.Time
	tableUUID    string
	categoryUUID string
	subnets      map[string]bool
}

// network reads where routes go, when it was read long ago or for another configuration.
func (r *Routes) network(ctx context.Context) (network, error) {
	settings := r.Config()
	if settings.ClusterName == "" {
		return network{}, fmt.Errorf("reading the configuration: clusterName is required, because routes are marked with it")
	}
	r.mutex.Lock()
	known := r.known
	r.mutex.Unlock()
	if known.of == settings.Routes.VPC && known.cluster == settings.ClusterName && r.clock.Since(known.read) < networkLifetime {
		return known, nil
	}
	known, err := r.readNetwork(ctx, settings)
	if err != nil {
		return network{}, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.known = known
	return known, nil
}

func (r *Routes) forgetNetwork() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.known = network{}
}

func (r *Routes) readNetwork(ctx context.Context, settings config.Config) (network, error) {
	out := network{of: settings.Routes.VPC, cluster: settings.ClusterName, mark: markOf(settings.ClusterName, r.ClusterID),
		read: r.clock.Now(), subnets: map[string]bool{}}
	vpc, err := r.vpc(ctx, settings.Routes.VPC)
	if err != nil {
		return network{}, err
	}
	if out.tableUUID, err = r.API.RouteTableOfVPC(ctx, vpc); err != nil {
		return network{}, fmt.Errorf("looking for the route table of VPC %s: %w", vpc, err)
	}
	subnets, err := r.API.ListSubnets(ctx, "")
	if err != nil {
		return network{}, fmt.Errorf("listing the subnets of VPC %s: %w", vpc, err)
	}
	for _, subnet := range subnets {
		if subnet.VPCUUID == vpc {
			out.subnets[subnet.UUID] = true
		}
	}
	categories, err := r.API.ListCategories(ctx, clusterCategory)
	if err != nil {
		return network{}, fmt.Errorf("looking for category %s:%s: %w", clusterCategory, settings.ClusterName, err)
	}
	at := slices.IndexFunc(categories, func(c nutanix.Category) bool { return c.Value == settings.ClusterName })
	if at < 0 {
		return network{}, fmt.Errorf("looking for category %s:%s: there is none; the virtual machines of the cluster must have it",
			clusterCategory, settings.ClusterName)
	}
	out.categoryUUID = categories[at].UUID
	return out, nil
}

func (r *Routes) vpc(ctx context.Context, identifier config.Identifier) (string, error) {
	if identifier.UUID != "" {
		return identifier.UUID, nil
	}
	vpcs, err := r.API.ListVPCs(ctx, identifier.Name)
	if err != nil {
		return "", fmt.Errorf("looking for VPC %q: %w", identifier.Name, err)
	}
	if len(vpcs) != 1 {
		return "", fmt.Errorf("looking for VPC %q: there are %d of that name; give the UUID in routes.vpc", identifier.Name, len(vpcs))
	}
	return vpcs[0].UUID, nil
}

// addresses are those of a virtual machine in the VPC, configured ones before learned ones.
func (n network) addresses(vm nutanix.VM) []netip.Addr {
	var configured, learned []netip.Addr
	for _, nic := range vm.NICs {
		if !n.subnets[nic.SubnetUUID] {
			continue
		}
		if nic.Primary.IsValid() {
			configured = append(configured, nic.Primary.Unmap())
		}
		configured = append(configured, nic.Secondary...)
		learned = append(learned, nic.Learned...)
	}
	return slices.Concat(configured, learned)
}

// match gives the first of a node's own addresses that a virtual machine has in the VPC.
func (n network) match(own []corev1.NodeAddress, vms []nutanix.VM) (hop netip.Addr, vmUUID string, found bool) {
	for _, address := range own {
		ip, err := netip.ParseAddr(address.Address)
		if err != nil || address.Type != corev1.NodeInternalIP || !ip.Unmap().Is4() {
			continue
		}
		for _, vm := range vms {
			if slices.Contains(n.addresses(vm), ip.Unmap()) {
				return ip.Unmap(), vm.UUID, true
			}
		}
	}
	return netip.Addr{}, "", false
}
