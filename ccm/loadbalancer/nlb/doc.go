// Package nlb serves Services of type LoadBalancer with Nutanix network load balancers, which exist in a VPC (Prism Central
// pc.2024.3 or newer).
//
// # Pieces
//
// A Service owns, in Prism Central:
//
//   - one address reservation in the subnet of virtual IPs, with the client context "<clusterName>/<service UID>/<ID>";
//   - one load balancer session for each port, TCP or UDP, named "<clusterName>-<service UID>-<ID>-<tcp|udp>-<port>", all on
//     that address. A session has one port for each target, so that ports cannot share one;
//   - one floating IP named "<clusterName>-<service UID>-<ID>", if it shall be reached from outside of the VPC.
//
// The ID is that of the cluster, loadbalancer.ClusterID. Marks made while it could not be read lack it and count as the
// cluster's; sessions are renamed, the others stay as they are.
//
// They are made in this order and removed in the opposite one, so that an address is freed only when nothing uses it, and
// every piece can be found by its mark after an interruption at any point. What is to be done is planned from what is found
// in Prism Central (plan), never from memory. A virtual IP is kept as long as the Service lives, unless the Service asks
// for another address or subnet: then the new one is reserved, the sessions are moved, and the old one is freed. What is not
// asked for any more stays as it is, and a change of loadBalancer.nlb.subnet is for new Services. A change of loadBalancer.nlb.vpc
// is for all. Reservations in the former VPC, which no session may lead to, are found in a deletion by asking every VPC once
// (elsewhere).
//
// A creation whose caller is gone while Prism Central still works on it may end after a deletion looked for pieces. Such a
// piece has its mark too: Owners lists it, and the collection of orphans removes it.
//
// A floating IP is associated with the session if there is one, and with the virtual IP as a private IP of the VPC if there
// are several: the API lets a floating IP name one session only (networking v4, FloatingIp.association). It is led elsewhere
// before a session goes that it is associated with. Two floating IPs cannot lead to one address, so that one of another
// external subnet, after a change of the configuration, goes before the new one is made.
//
// What of a session can be changed is changed in place: a removed port becomes an added one of the same protocol. Where Prism
// Central refuses that, the session is made anew.
//
// # Traffic
//
// Targets are NICs of nodes, on the node port. All nodes are targets, with externalTrafficPolicy Local too: kube-proxy does
// not answer on the node port of a node without endpoints, so that the health check takes the node out. The API gives a
// health check no protocol and no port of its own. It is not documented how it finds out about UDP.
//
// Status.loadBalancer has the floating IP, or the virtual IP where there is none. Its ports are filled in only when one
// of them is refused: then each port says whether it is served.
//
// # What is refused
//
// A refused Service is left as it was: nothing is made, changed or removed. A refused port is left out, the rest is served,
// and the Refusal comes beside the status.
//
//	asked for                                       refused         reason
//	ipFamilies without IPv4, RequireDualStack       the Service     AddressFamilyRefused: IPv4 only
//	PreferDualStack with IPv4 and IPv6              no              AddressFamilyRefused beside the status; IPv4 is served
//	sessionAffinity ClientIP                        the Service     SessionAffinityRefused: five-tuple hash only
//	source ranges other than 0.0.0.0/0              the Service     SourceRangesRefused: sessions cannot filter
//	annotation or loadBalancerIP that is no value   the Service     InvalidAnnotation: the annotation and its values
//	annotation and loadBalancerIP that differ       the Service     InvalidAnnotation
//	address outside of the subnet                   the Service     InvalidAnnotation
//	floating IP without loadBalancer.nlb.externalSubnet  the Service  InvalidAnnotation
//	protocol SCTP                                   the port (*)    ProtocolRefused
//	port without nodePort                           the port (*)    NodePortMissing: allocateLoadBalancerNodePorts
//	second port, and Prism Central shares no VIP    the port        VirtualIPSharingRefused; tried again at each repair
//	address of another Service or VM                the Service     AddressTaken; tried again with back-off
//	no address, session or floating IP left         the Service     AddressesExhausted, SessionsExhausted, FloatingIPsExhausted;
//	                                                                tried again with back-off
//	what the credentials may not do                 the Service     PrismForbidden; tried again with back-off
//	what Prism Central calls invalid                the Service     PrismRefused; tried again with back-off
//	VPC or subnet that is not there or of no use    the Service     ConfigurationRefused; tried again with back-off
//	a node that several virtual machines could be   the Service     AmbiguousVirtualMachine; tried again with back-off
//
// (*) The Service is refused when none of its ports is left.
//
// A node without a usable NIC is left out; an Event of the node, LoadBalancerTargetMissing, says why.
package nlb
