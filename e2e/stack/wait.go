package stack

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WaitComplete waits until a cluster is Available with every machine that its spec asks for, no more, no fewer, all of them
// available and up to date.
func (s *Stack) WaitComplete(ctx context.Context, key client.ObjectKey) error {
	return s.Env.Wait(ctx, "cluster "+key.Name+" to be complete", func(ctx context.Context) (bool, string, error) {
		cluster := &clusterv1.Cluster{}
		if err := s.Env.Client.Get(ctx, key, cluster); err != nil {
			return false, "", err
		}
		planes, workers := cluster.Status.ControlPlane, cluster.Status.Workers
		if planes == nil || workers == nil {
			return false, "nothing is reported yet", nil
		}
		plane := replicas{planes.DesiredReplicas, planes.Replicas, planes.AvailableReplicas, planes.UpToDateReplicas}
		worker := replicas{workers.DesiredReplicas, workers.Replicas, workers.AvailableReplicas, workers.UpToDateReplicas}
		progress := fmt.Sprintf("control plane %s, workers %s", plane, worker)
		available := conditions.Get(cluster, clusterv1.AvailableCondition)
		switch {
		case !plane.complete() || !worker.complete():
			return false, progress, nil
		case available == nil || available.Status != metav1.ConditionTrue:
			return false, progress + ", not Available", nil
		case available.ObservedGeneration < cluster.Generation || conditions.IsTrue(cluster, clusterv1.ClusterRollingOutCondition):
			return false, progress + ", rolling out", nil
		default:
			return true, progress, nil
		}
	})
}

// replicas are counts of machines as Cluster API reports them; nil is not reported yet.
type replicas struct{ desired, actual, available, upToDate *int32 }

func (r replicas) complete() bool {
	if r.desired == nil {
		return false
	}
	for _, count := range []*int32{r.actual, r.available, r.upToDate} {
		if ptr.Deref(count, -1) != *r.desired {
			return false
		}
	}
	return true
}

func (r replicas) String() string {
	return fmt.Sprintf("%d of %d available, %d up to date", ptr.Deref(r.available, 0), ptr.Deref(r.desired, 0), ptr.Deref(r.upToDate, 0))
}
