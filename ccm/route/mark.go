package route

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/capnt/capnt/ccm/nutanix"
)

// markOf is what names of a cluster's routes begin with: "<cluster>-<ID>", or "<cluster>" without an ID.
func markOf(cluster, id string) string {
	if id == "" {
		return cluster
	}
	return cluster + "-" + id
}

// nameOf is how a route is named: "<mark>-pods-<address>-<bits>". It depends on the cluster and the destination alone, and says
// whose a route is: one with another name is never touched.
func nameOf(mark string, destination netip.Prefix) string {
	return mark + "-pods-" + strings.ReplaceAll(destination.Masked().String(), "/", "-")
}

// isOurs is also false for routes that no Kubernetes cluster makes: to a subnet, a VPN, or by Prism Central itself.
func isOurs(mark string, route nutanix.Route) bool {
	return route.IsStatic && route.NextHop.IsValid() && route.Destination.IsValid() && route.Name == nameOf(mark, route.Destination)
}

// holder is whose pods a route leads to.
type holder struct{ node, vmUUID string }

var description = regexp.MustCompile(`^Pods of node (\S+) on virtual machine (\S+)$`)

// describe writes the description of a route, for people and for readHolder, which has to read it for ever.
func (h holder) describe() string {
	return fmt.Sprintf("Pods of node %s on virtual machine %s", h.node, h.vmUUID)
}

// readHolder is the zero value when somebody else wrote the description.
func readHolder(text string) holder {
	parts := description.FindStringSubmatch(text)
	if parts == nil {
		return holder{}
	}
	return holder{node: parts[1], vmUUID: parts[2]}
}

// state names a route together with where it leads. The framework is given it as the route's name, and gives it back to say
// which one to delete: a route that leads elsewhere by then has another.
func state(route nutanix.Route) string {
	return fmt.Sprintf("%s via %s (%s)", route.UUID, route.NextHop, readHolder(route.Description).vmUUID)
}
