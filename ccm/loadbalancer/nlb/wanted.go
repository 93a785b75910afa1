package nlb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// wanted is what there shall be in Prism Central.
type wanted struct {
	owner       loadbalancer.Owner
	description string
	vpcUUID     string
	subnet      nutanix.Subnet
	// address is invalid when any will do.
	address netip.Addr
	// staysInSubnet is true when neither address nor subnet was asked for: then another subnet will do if the Service has
	// its address there already.
	staysInSubnet bool
	// sessions have everything but the virtual IP, which may not be known yet.
	sessions []nutanix.LoadBalancerSession
	// externalSubnetUUID is where the floating IP is from; empty: there shall be none.
	externalSubnetUUID string
}

// desired gives what there shall be for a request, with those NICs as targets.
func desired(r request, vpcUUID string, subnet nutanix.Subnet, externalSubnetUUID string, nics []string) (wanted, error) {
	if r.address.IsValid() && !subnet.Prefix.Contains(r.address) {
		return wanted{}, &loadbalancer.Refusal{Reason: ReasonAnnotation, Message: fmt.Sprintf(
			"the virtual IP %s is not in subnet %s (%s): ask for an address of it, or name another subnet with the annotation %s",
			r.address, subnet.Name, subnet.Prefix, loadbalancer.AnnotationSubnet)}
	}
	w := wanted{
		owner: r.owner, description: r.description, vpcUUID: vpcUUID, subnet: subnet, address: r.address,
		externalSubnetUUID: externalSubnetUUID, staysInSubnet: !r.isSubnetNamed && !r.address.IsValid(),
	}
	for _, p := range r.ports {
		w.sessions = append(w.sessions, nutanix.LoadBalancerSession{
			Name: sessionName(r.owner, p), Description: r.description, VPCUUID: vpcUUID, SubnetUUID: subnet.UUID,
			Protocol: p.protocol, Port: p.port, HealthCheck: r.healthCheck, Targets: targetsOf(nics, p.nodePort),
		})
	}
	return w, nil
}

// settle makes what is wanted stay in the subnet where most sessions, or else most reservations, are. A change of the subnet in
// the configuration is for new Services: it must not give all others another address at once.
func (w wanted) settle(f found, subnets []nutanix.Subnet) wanted {
	if !w.staysInSubnet {
		return w
	}
	uses := map[string]int{}
	for _, session := range f.sessions {
		uses[session.SubnetUUID]++
	}
	if len(uses) == 0 {
		for _, r := range f.reservations {
			uses[r.subnetUUID]++
		}
	}
	for _, subnet := range subnets {
		if uses[subnet.UUID] > uses[w.subnet.UUID] {
			w.subnet = subnet
		}
	}
	w.sessions = slices.Clone(w.sessions)
	for i := range w.sessions {
		w.sessions[i].SubnetUUID = w.subnet.UUID
	}
	return w
}

// sessionName is "<cluster>-<service UID>-<ID>-<tcp|udp>-<port>".
func sessionName(owner loadbalancer.Owner, p port) string {
	return fmt.Sprintf("%s-%s-%d", owner.Name(), strings.ToLower(string(p.protocol)), p.port)
}

func targetsOf(nics []string, nodePort int) []nutanix.Target {
	targets := make([]nutanix.Target, 0, len(nics))
	for _, nic := range nics {
		targets = append(targets, nutanix.Target{NICUUID: nic, Port: nodePort})
	}
	return targets
}
