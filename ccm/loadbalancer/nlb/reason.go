package nlb

import "github.com/capnt/capnt/ccm/loadbalancer"

// Reasons of Events and Refusals. The package documentation says what each means for the Service.
const (
	ReasonAddressFamily        = "AddressFamilyRefused"
	ReasonSessionAffinity      = "SessionAffinityRefused"
	ReasonSourceRanges         = "SourceRangesRefused"
	ReasonAnnotation           = loadbalancer.ReasonAnnotation
	ReasonProtocol             = "ProtocolRefused"
	ReasonNodePort             = "NodePortMissing"
	ReasonSharing              = "VirtualIPSharingRefused"
	ReasonAddressTaken         = "AddressTaken"
	ReasonListenerTaken        = "ListenerTaken"
	ReasonAddressesExhausted   = "AddressesExhausted"
	ReasonSessionsExhausted    = "SessionsExhausted"
	ReasonFloatingIPsExhausted = "FloatingIPsExhausted"
	ReasonFloatingIPTaken      = "FloatingIPRefused"
	ReasonForbidden            = "PrismForbidden"
	ReasonInvalid              = "PrismRefused"
	ReasonConfiguration        = "ConfigurationRefused"
	ReasonAmbiguous            = "AmbiguousVirtualMachine"
	// ReasonTargetMissing is an Event of a Node, ReasonNoTargets of a Service.
	ReasonTargetMissing = "LoadBalancerTargetMissing"
	ReasonNoTargets     = "NoLoadBalancerTargets"
)
