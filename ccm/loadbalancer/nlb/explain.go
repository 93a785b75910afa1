package nlb

import (
	"errors"
	"fmt"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// explain turns the error of a step into a Refusal if a person can do something about it, and says what. All are tried again:
// what is in the way may go.
func explain(s step, err error) error {
	switch nutanix.KindOf(err) {
	case nutanix.Conflict:
		return explainConflict(s, err)
	case nutanix.Exhausted:
		return explainExhausted(s, err)
	case nutanix.Invalid:
		return refuse(ReasonInvalid, err, "Prism Central does not accept to %s: %s", s, said(err))
	default:
		return explainAny(fmt.Errorf("%s: %w", s, err))
	}
}

// explainAny is for errors of every call, those that only read too.
func explainAny(err error) error {
	var refusal *loadbalancer.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	if nutanix.Is(err, nutanix.Forbidden) {
		return refuse(ReasonForbidden, err, "the credentials of the cloud controller manager may not do this: "+
			"give them a role that may read VPCs and change subnets, load balancer sessions and floating IPs, such as VPC Admin (%s)", said(err))
	}
	return err
}

func explainConflict(s step, err error) error {
	switch s := s.(type) {
	case reserve:
		return addressTaken(s, err)
	case createSession:
		return listenerTaken(s.session, err)
	case updateSession:
		return listenerTaken(s.want, err)
	case createFloatingIP, associate:
		return refuse(ReasonFloatingIPTaken, err, "Prism Central refuses to associate the floating IP (%s): "+
			"look for another floating IP that leads to the same virtual IP, and delete it", said(err))
	default:
		return fmt.Errorf("%s: %w", s, err)
	}
}

func explainExhausted(s step, err error) error {
	switch s := s.(type) {
	case reserve:
		return refuse(ReasonAddressesExhausted, err, "subnet %s has no free address for the load balancer: "+
			"make its pool larger, free addresses, or name another subnet with the annotation %s", s.w.subnet.Name, loadbalancer.AnnotationSubnet)
	case createFloatingIP:
		return refuse(ReasonFloatingIPsExhausted, err, "there is no floating IP left (%s): free one, extend the pool of the "+
			"external subnet, or set the annotation %s to \"false\"", said(err), loadbalancer.AnnotationFloatingIP)
	default:
		return refuse(ReasonSessionsExhausted, err, "a limit of Prism Central is reached (%s): "+
			"delete load balancers that are not needed, or raise the limit", said(err))
	}
}

func addressTaken(s reserve, err error) *loadbalancer.Refusal {
	by := "by another Service, a virtual machine or another reservation"
	if owner, ok := loadbalancer.ParseContext(s.w.owner.Cluster, s.by); ok {
		by = fmt.Sprintf("by another Service of this cluster (UID %s)", owner.UID)
	} else if s.by != "" {
		by = fmt.Sprintf("by %q", s.by)
	}
	return refuse(ReasonAddressTaken, err, "the virtual IP %s of subnet %s is taken %s: ask for another, or wait until it is free",
		s.address, s.w.subnet.Name, by)
}

func listenerTaken(session nutanix.LoadBalancerSession, err error) error {
	return refuse(ReasonListenerTaken, err, "Prism Central refuses a load balancer session for %s port %d on the virtual IP (%s): "+
		"look for a session of somebody else on that address", session.Protocol, session.Port, said(err))
}

func refuse(reason string, cause error, format string, args ...any) *loadbalancer.Refusal {
	return &loadbalancer.Refusal{Reason: reason, Message: fmt.Sprintf(format, args...), Retry: true, Cause: cause}
}

// said is what Prism Central said itself.
func said(err error) string {
	var e *nutanix.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return "it gave no reason"
}
