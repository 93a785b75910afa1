package loadbalancer

// Annotations of a Service. All are optional and start with Prefix.
const (
	Prefix = "nutanix.com/"
	// AnnotationType is nlb, ipam or none: which kind of load balancer serves the Service.
	AnnotationType = Prefix + "load-balancer-type"
	// AnnotationAddress asks for that virtual IP, as the deprecated spec.loadBalancerIP does, which charts know that know no
	// annotations of this provider.
	AnnotationAddress = Prefix + "load-balancer-address"
	// AnnotationSubnet is the name or UUID of another subnet than the configured one for the virtual IP; with type ipam it is
	// one of loadBalancer.ipam.additionalSubnets.
	AnnotationSubnet = Prefix + "load-balancer-subnet"
	// AnnotationFloatingIP is "true" or "false" (nlb).
	AnnotationFloatingIP = Prefix + "load-balancer-floating-ip"
	// AnnotationNodeSelector is a label selector of the nodes that get traffic (nlb).
	AnnotationNodeSelector = Prefix + "load-balancer-node-selector"
	// Annotations of the health check (nlb): seconds and counts.
	AnnotationHealthCheckInterval         = Prefix + "load-balancer-health-check-interval"
	AnnotationHealthCheckTimeout          = Prefix + "load-balancer-health-check-timeout"
	AnnotationHealthCheckSuccessThreshold = Prefix + "load-balancer-health-check-success-threshold"
	AnnotationHealthCheckFailureThreshold = Prefix + "load-balancer-health-check-failure-threshold"
)
