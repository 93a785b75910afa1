package provisioning

import (
	"context"
	"fmt"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/cluster-api/util/paused"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
)

// Pause writes the Paused condition of an object with a workspace and reports whether the reconcile ends here. Paused
// becomes True only when no run of the object is under way. Pause removes a queued run from the queue. A run that has
// started continues, and the end of the run triggers the next reconcile.
//
// The block-move annotation of clusterctl works together with this rule. clusterctl notes which objects have the
// annotation, pauses the Cluster, and copies the objects only when none of them has the annotation any more. So every
// object that is not paused and may have a run has the annotation. Pause removes the annotation when Paused becomes
// True.
func (d *Dependencies) Pause(ctx context.Context, cluster *clusterv1.Cluster, object Object, kind, finalizer string) (ended bool, err error) {
	if annotations.IsPaused(cluster, object) && !d.Pipeline.Withdraw(lifecycle.Target{Object: object, Kind: kind}.Key()) {
		ctrl.LoggerFrom(ctx).Info("Waiting for a Terraform run to end before the object is reported as paused")
		return true, nil
	}
	isPaused, requeue, err := paused.EnsurePausedCondition(ctx, d.Client, cluster, object)
	switch {
	case err != nil:
		return true, fmt.Errorf("writing condition %s: %w", infrav1.PausedCondition, err)
	case isPaused:
		return true, d.blockMove(ctx, object, false)
	case requeue:
		return true, nil
	case !controllerutil.ContainsFinalizer(object, finalizer):
		return false, nil
	}
	return false, d.blockMove(ctx, object, true)
}

// blockMove adds or removes the annotation that keeps clusterctl from moving an object.
func (d *Dependencies) blockMove(ctx context.Context, object client.Object, block bool) error {
	if _, blocks := object.GetAnnotations()[clusterctlv1.BlockMoveAnnotation]; blocks == block {
		return nil
	}
	// The patch uses a copy, so that pending changes of the object are neither sent nor overwritten.
	patched := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	before := patched.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
	setBlockMove(patched, block)
	if err := d.Client.Patch(ctx, patched, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing annotation %s of %s: %w", clusterctlv1.BlockMoveAnnotation, client.ObjectKeyFromObject(object), err)
	}
	setBlockMove(object, block)
	return nil
}

func setBlockMove(object client.Object, block bool) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, clusterctlv1.BlockMoveAnnotation)
	if block {
		annotations[clusterctlv1.BlockMoveAnnotation] = ""
	}
	object.SetAnnotations(annotations)
}

// Moved reports whether clusterctl is deleting the object after it copied the object to another management cluster. The
// copy then owns the infrastructure.
func Moved(object client.Object) bool {
	_, moved := object.GetAnnotations()[clusterctlv1.DeleteForMoveAnnotation]
	return moved && !object.GetDeletionTimestamp().IsZero()
}

// ReleaseMoved removes the finalizer of an object that was moved, and changes nothing else. clusterctl removes the
// finalizer too, but it may have been interrupted before that step.
func (d *Dependencies) ReleaseMoved(ctx context.Context, object client.Object, kind, finalizer string) error {
	if !d.Pipeline.Withdraw(lifecycle.Target{Object: object, Kind: kind}.Key()) {
		return nil // the end of the run triggers the next reconcile
	}
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	if !controllerutil.RemoveFinalizer(object, finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := d.Client.Patch(ctx, object, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing %s, which was moved to another management cluster: %w", client.ObjectKeyFromObject(object), err)
	}
	return nil
}
