package loadbalancer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	servicehelper "k8s.io/cloud-provider/service/helpers"

	"github.com/capnt/capnt/ccm/config"
)

// duty is what the class controller has to do with a Service.
type duty string

// Duties.
const (
	// dutyNone: it is somebody else's, or the framework does all there is to do.
	dutyNone duty = ""
	// dutyServe: it has a class that is served here, and the framework ignores it.
	dutyServe duty = "Serve"
	// dutyRepair: the framework serves it, and looks at it again only when it changes; now and then it must be compared with
	// Prism Central.
	dutyRepair duty = "Repair"
	// dutyCleanUp: its load balancer has to go, then its finalizer.
	dutyCleanUp duty = "CleanUp"
)

// dutyOf decides. The API server clears loadBalancerClass when the type changes away from LoadBalancer, so whose Service it was
// cannot be seen then; the framework's controller cleans up such Services too, and both do the same under the Service's lock.
func dutyOf(service *corev1.Service, classes map[string]config.LoadBalancerType) duty {
	finalizer := servicehelper.HasLBFinalizer(service)
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		if finalizer {
			return dutyCleanUp
		}
		return dutyNone
	}
	ours := false
	if class := service.Spec.LoadBalancerClass; class != nil {
		_, ours = classes[*class]
	}
	deleting := !service.DeletionTimestamp.IsZero()
	switch {
	case ours && !deleting:
		return dutyServe
	case ours && finalizer:
		return dutyCleanUp
	case service.Spec.LoadBalancerClass == nil && finalizer && !deleting:
		return dutyRepair
	default:
		return dutyNone
	}
}

// changed reports whether a Service differs in anything that its load balancer may depend on. The status is not among it: it
// is compared at the next repair.
func changed(old, now *corev1.Service) bool {
	return old.UID != now.UID ||
		!equality.Semantic.DeepEqual(old.Spec, now.Spec) ||
		!equality.Semantic.DeepEqual(old.Annotations, now.Annotations) ||
		servicehelper.HasLBFinalizer(old) && !servicehelper.HasLBFinalizer(now) ||
		old.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero()
}
