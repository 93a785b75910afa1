package provisioning

import (
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/predicates"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// PauseChanged lets a Cluster through that is paused or unpaused, and one that appears paused: what was reconciled before the
// cache had its Cluster was taken for one that is not paused.
func PauseChanged(scheme *runtime.Scheme, log logr.Logger) predicate.Predicate {
	return predicate.Or(predicates.ClusterPausedTransitions(scheme, log), predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			cluster, ok := e.Object.(*clusterv1.Cluster)
			return ok && ptr.Deref(cluster.Spec.Paused, false)
		},
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}
