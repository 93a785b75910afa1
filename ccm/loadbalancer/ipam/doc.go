// Package ipam serves Services of type LoadBalancer in VLAN subnets, where Nutanix has no load balancers: an address is
// reserved in the subnet, so that Prism Central gives it to nobody else, and handed to whoever announces it in the cluster,
// by an annotation of the Service.
//
// # Pieces
//
// A Service owns one reservation, with the client context "<clusterName>/<service UID>/<cluster ID>". It is looked for by that context
// before anything is reserved, in all subnets that the configuration names (loadBalancer.ipam.subnet and additionalSubnets):
// an interruption between reservation and annotation leaks nothing. Subnets of a VPC are refused: reservations in them are
// those of network load balancers (package nlb), which have the same client context.
//
// # Announcers
//
//	announcer  annotation                   source
//	kube-vip   kube-vip.io/loadbalancerIPs  kube-vip, pkg/kubevip/annotations.go
//	metallb    metallb.io/loadBalancerIPs   MetalLB 0.15; before: metallb.universe.tf/loadBalancerIPs
//	cilium     lbipam.cilium.io/ips         Cilium 1.15, LB IPAM; before: io.cilium/lb-ipam-ips
//
// Older names are read, and not written. MetalLB serves no Service that has both its annotation and spec.loadBalancerIP, so
// that with the latter no annotation is written. The status is the announcer's: it is not touched. An announcer must know
// the subnet's addresses as its own (IPAddressPool, CiliumLoadBalancerIPPool), and Services with a loadBalancerClass are
// served only by an announcer that is set up for that class.
//
// # Which address
//
// The annotation nutanix.com/load-balancer-address or spec.loadBalancerIP, else the announcer's annotation, else the one
// that is reserved already, else any. A new address is reserved and handed over before the old one is freed. Once there is an
// address, a change of the configured subnet does not change it.
//
// # What is refused
//
//	asked for                                          reason
//	ipFamilies without IPv4, RequireDualStack          AddressFamilyRefused: reservations are IPv4 only
//	an annotation or loadBalancerIP that is no value   InvalidAnnotation
//	an annotation and loadBalancerIP that differ       InvalidAnnotation
//	an address outside of the subnets                  InvalidAnnotation
//	a subnet that the configuration does not name      InvalidAnnotation
//	the address of somebody else                       AddressTaken; tried again
//	no address left                                    AddressesExhausted; tried again
//	a configured subnet that is not there or of no use ConfigurationRefused; tried again
//
// Everything else (externalTrafficPolicy, source ranges, affinity, allocateLoadBalancerNodePorts=false) is between the
// announcer and kube-proxy, and works as they do.
package ipam
