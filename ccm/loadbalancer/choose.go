package loadbalancer

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
)

// Reasons of Refusals of the front.
const (
	ReasonInvalidType       = "InvalidLoadBalancerType"
	ReasonContradictoryType = "ContradictoryLoadBalancerType"
	ReasonTypeNotConfigured = "LoadBalancerTypeNotConfigured"
)

// choose says which type of load balancer a Service is to have: that of its loadBalancerClass, else that of its annotation,
// else the configured one. A class of somebody else is none. Errors are Refusals.
func choose(c config.Config, service *corev1.Service) (config.LoadBalancerType, error) {
	lb := c.LoadBalancer
	chosen := lb.Type
	class := service.Spec.LoadBalancerClass
	if class != nil {
		served, ours := lb.Classes[*class]
		if !ours {
			return config.LoadBalancerNone, nil
		}
		chosen = served
	}
	if text, set := service.Annotations[AnnotationType]; set {
		asked := config.LoadBalancerType(text)
		if asked != config.LoadBalancerNLB && asked != config.LoadBalancerIPAM && asked != config.LoadBalancerNone {
			return "", &Refusal{Reason: ReasonInvalidType, Message: fmt.Sprintf(
				"annotation %s is %q: write nlb, ipam or none", AnnotationType, text)}
		}
		if class != nil && asked != chosen {
			return "", &Refusal{Reason: ReasonContradictoryType, Message: fmt.Sprintf(
				"annotation %s is %q, but spec.loadBalancerClass %s is served as %s: remove the annotation", AnnotationType, text, *class, chosen)}
		}
		chosen = asked
	}
	return chosen, configured(c, &chosen)
}

// configured refuses a type that the configuration does not allow, and makes of an empty one none.
func configured(c config.Config, chosen *config.LoadBalancerType) error {
	missing := ""
	switch {
	case *chosen == config.LoadBalancerNone || *chosen == "":
		*chosen = config.LoadBalancerNone
		return nil
	case *chosen == config.LoadBalancerNLB && c.LoadBalancer.NLB == nil:
		missing = "loadBalancer.nlb"
	case *chosen == config.LoadBalancerIPAM && c.LoadBalancer.IPAM == nil:
		missing = "loadBalancer.ipam"
	case c.ClusterName == "":
		missing = "clusterName"
	default:
		return nil
	}
	return &Refusal{Reason: ReasonTypeNotConfigured, Message: fmt.Sprintf(
		"a load balancer of type %s needs %s in the configuration of the cloud controller manager", *chosen, missing)}
}
