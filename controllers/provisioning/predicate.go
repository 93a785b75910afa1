package provisioning

import (
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/predicates"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// OnlyDeletes passes only the events of objects that do not exist any more.
var OnlyDeletes = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// PauseChanged passes events of a Cluster that is paused or unpaused, and the creation of a paused Cluster. The
// creation matters because an object counts as unpaused if it is reconciled before the cache contains its Cluster.
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

// MigrationEnded passes the events with which the migration of an object ends.
var MigrationEnded = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
	DeleteFunc:  func(e event.DeleteEvent) bool { return infrav1.MigratingPrismAPI(e.Object) != "" },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return infrav1.MigratingPrismAPI(e.ObjectOld) != "" && infrav1.MigratingPrismAPI(e.ObjectNew) == ""
	},
}
