package loadbalancer

import (
	"cmp"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// ReasonAnnotation is the reason of Refusals of an annotation, or of spec.loadBalancerIP, that is no value that can be had.
const ReasonAnnotation = "InvalidAnnotation"

// AskedAddress gives the virtual IP that the annotation AnnotationAddress or spec.loadBalancerIP asks for, and where it is asked for.
// It is invalid when neither does. Two that differ are refused, whatever the type: announcers in the cluster read the field by
// themselves, so that neither can win over the other. Its errors are Refusals.
func AskedAddress(service *corev1.Service) (address netip.Addr, source string, err error) {
	annotation, field := service.Annotations[AnnotationAddress], service.Spec.LoadBalancerIP
	text := cmp.Or(annotation, field)
	switch {
	case text == "":
		return netip.Addr{}, "", nil
	case field != "" && field != text:
		return netip.Addr{}, "", &Refusal{Reason: ReasonAnnotation, Message: fmt.Sprintf(
			"annotation %s is %q, but spec.loadBalancerIP is %q: remove one of them, or make them alike", AnnotationAddress, annotation, field)}
	case annotation != "":
		source = "annotation " + AnnotationAddress
	default:
		source = "spec.loadBalancerIP"
	}
	address, err = ParseAddress(source, text)
	return address, source, err
}

// ParseAddress reads the address that is asked for there. Its errors are Refusals.
func ParseAddress(source, text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() {
		return netip.Addr{}, &Refusal{Reason: ReasonAnnotation, Message: fmt.Sprintf(
			"%s is %q: it must be one IPv4 address of the subnet, such as 10.0.0.10", source, text)}
	}
	return address, nil
}
