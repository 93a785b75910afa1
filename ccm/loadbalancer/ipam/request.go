package ipam

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
)

// Reasons of Refusals. The package documentation says when; they are those of package nlb where they mean the same.
const (
	ReasonAddressFamily      = "AddressFamilyRefused"
	ReasonAnnotation         = loadbalancer.ReasonAnnotation
	ReasonAddressTaken       = "AddressTaken"
	ReasonAddressesExhausted = "AddressesExhausted"
	ReasonConfiguration      = "ConfigurationRefused"
	// ReasonReserved is an Event of type Normal.
	ReasonReserved = "AddressReserved"
)

// request is what a Service asks for.
type request struct {
	// address is invalid when any will do; source says who asked for it.
	address netip.Addr
	source  string
	// announced: it is the announcer's annotation that asks, which is also where an address that was given is written.
	announced bool
	// subnet is a name or UUID, or empty.
	subnet string
}

// readRequest gives what a Service asks for. Its errors are Refusals.
func readRequest(service *corev1.Service, a announcer) (request, error) {
	if err := checkFamilies(service); err != nil {
		return request{}, err
	}
	r := request{subnet: service.Annotations[loadbalancer.AnnotationSubnet]}
	var err error
	if r.address, r.source, err = loadbalancer.AskedAddress(service); err != nil || r.address.IsValid() {
		return r, err
	}
	annotation, announced := a.read(service)
	if announced == "" {
		return r, nil
	}
	r.source, r.announced = "annotation "+annotation, true
	r.address, err = loadbalancer.ParseAddress(r.source, announced)
	return r, err
}

func checkFamilies(service *corev1.Service) error {
	policy := service.Spec.IPFamilyPolicy
	families := service.Spec.IPFamilies
	if len(families) > 0 && !slices.Contains(families, corev1.IPv4Protocol) ||
		policy != nil && *policy == corev1.IPFamilyPolicyRequireDualStack {
		return &loadbalancer.Refusal{Reason: ReasonAddressFamily,
			Message: "addresses in Nutanix subnets can be reserved for IPv4 only: ask for IPv4, or for PreferDualStack"}
	}
	return nil
}

func refuse(format string, arguments ...any) *loadbalancer.Refusal {
	return &loadbalancer.Refusal{Reason: ReasonAnnotation, Message: fmt.Sprintf(format, arguments...)}
}
