// Package nutanixplan reconciles NutanixPlan. It deletes old plans and closes plans whose target does not exist any more. The pipeline of
// internal/lifecycle creates plans and writes their phases.
package nutanixplan

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/plan"
)

const kind = "NutanixPlan"

// Reconciler reconciles NutanixPlan objects.
type Reconciler struct {
	Client client.Client
	Plans  *plan.Store
	Clock  clock.PassiveClock
	// Keep is the maximum number of plans in a final phase that are kept for each target.
	Keep int
	// TTL is how long plans are kept after their target was deleted.
	TTL time.Duration
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplans,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplandecisions,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplanpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplans/status;nutanixplandecisions/status;nutanixplanpolicies/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplans/finalizers;nutanixplandecisions/finalizers,verbs=update

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	err := ctrl.NewControllerManagedBy(mgr).
		For(&infrav1.NutanixPlan{}, builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&infrav1.NutanixMachine{}, handler.EnqueueRequestsFromMapFunc(r.plansOf), builder.WithPredicates(provisioning.OnlyDeletes)).
		Watches(&infrav1.NutanixCluster{}, handler.EnqueueRequestsFromMapFunc(r.plansOf), builder.WithPredicates(provisioning.OnlyDeletes)).
		WithOptions(options).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// plansOf maps a target that does not exist any more to its plans. It compares names, because clusterctl move removes the annotation with
// the workspace key before it deletes the object.
func (r *Reconciler) plansOf(ctx context.Context, object client.Object) []ctrl.Request {
	list := &infrav1.NutanixPlanList{}
	if err := r.Client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the plans of a deleted object", "object", client.ObjectKeyFromObject(object))
		return nil
	}
	kind := "NutanixMachine"
	if _, isCluster := object.(*infrav1.NutanixCluster); isCluster {
		kind = "NutanixCluster"
	}
	var requests []ctrl.Request
	for i := range list.Items {
		target := list.Items[i].Spec.Target
		if target.Kind == kind && target.Namespace == object.GetNamespace() && target.Name == object.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// stored contains the phases in which the plan file is stored for longer than an apply takes.
var stored = []infrav1.PlanPhase{infrav1.PlanPhaseWaiting, infrav1.PlanPhaseApproved, infrav1.PlanPhaseDenied}

// Reconcile deletes the plans of a target that are not kept any more.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &infrav1.NutanixPlan{}
	if err := r.Client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	exists, err := r.targetExists(ctx, object.Spec.Target)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case !exists:
		return r.retire(ctx, object)
	case !object.Status.Phase.Final() && !slices.Contains(stored, object.Status.Phase):
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.prune(ctx, object)
}

// targetExists reports whether the target of a plan exists. Another object with the same name is not the target.
func (r *Reconciler) targetExists(ctx context.Context, target infrav1.PlanTarget) (bool, error) {
	var object client.Object = &infrav1.NutanixMachine{}
	if target.Kind == "NutanixCluster" {
		object = &infrav1.NutanixCluster{}
	}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: target.Namespace, Name: target.Name}, object)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading %s %s/%s: %w", target.Kind, target.Namespace, target.Name, err)
	}
	return err == nil && object.GetAnnotations()[infrav1.WorkspaceKeyAnnotation] == target.Key, nil
}

// settleTime is how long a plan without a target stays as it is. The run that destroyed the target may still write the final phase.
const settleTime = time.Minute

// retire closes a plan whose target does not exist any more, and deletes it after the TTL.
func (r *Reconciler) retire(ctx context.Context, object *infrav1.NutanixPlan) (ctrl.Result, error) {
	ended := object.CreationTimestamp.Time
	if object.Status.FinishedTime != nil {
		ended = object.Status.FinishedTime.Time
	}
	age := r.Clock.Now().Sub(ended)
	switch {
	case age < settleTime:
		return ctrl.Result{RequeueAfter: settleTime - age}, nil
	case !object.Status.Phase.Final():
		phase, message := infrav1.PlanPhaseSuperseded, fmt.Sprintf("%s %s does not exist any more", object.Spec.Target.Kind, object.Spec.Target.Name)
		stored := plan.Stored{Object: object, Saved: object.Spec.File != nil}
		_, err := r.Plans.SetPhase(ctx, stored, phase, message, plan.Verdict{})
		return ctrl.Result{}, err
	case age < r.TTL:
		return ctrl.Result{RequeueAfter: r.TTL - age}, nil
	}
	return ctrl.Result{}, r.delete(ctx, object)
}

// maxBytes is the maximum size in etcd of all plans of one target and their plan files. Plans that are in no final phase and the latest
// plan in a final phase are kept even if they are larger.
const maxBytes = 16 << 10

// prune deletes the oldest plans in a final phase of the target of object, until few enough are left and the plans are small enough together.
func (r *Reconciler) prune(ctx context.Context, object *infrav1.NutanixPlan) error {
	list := &infrav1.NutanixPlanList{}
	selector := client.MatchingLabels{infrav1.PlanTargetLabel: object.Spec.Target.Key}
	if err := r.Client.List(ctx, list, client.InNamespace(object.Namespace), selector); err != nil {
		return fmt.Errorf("listing the plans of %s %s/%s: %w", object.Spec.Target.Kind, object.Spec.Target.Namespace, object.Spec.Target.Name, err)
	}
	slices.SortFunc(list.Items, func(a, b infrav1.NutanixPlan) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	open, final := 0, []infrav1.NutanixPlan{}
	for i := range list.Items {
		if list.Items[i].Status.Phase.Final() {
			final = append(final, list.Items[i])
			continue
		}
		size, err := r.openSize(ctx, &list.Items[i])
		if err != nil {
			return err
		}
		open += size
	}
	kept, err := r.kept(final, open)
	if err != nil {
		return err
	}
	for i := range final[kept:] {
		if err := r.delete(ctx, &final[kept+i]); err != nil {
			return err
		}
	}
	return nil
}

// kept returns how many of the plans in a final phase are kept. final contains the newest plan first, and bytes is the size of all others.
func (r *Reconciler) kept(final []infrav1.NutanixPlan, bytes int) (int, error) {
	for i := range final {
		size, err := storedSize(&final[i])
		if err != nil {
			return 0, err
		}
		if bytes += size; i > 0 && (i >= r.Keep || bytes > maxBytes) {
			return i, nil
		}
	}
	return len(final), nil
}

// openSize returns the size in etcd of a plan that is in no final phase, and of its plan file.
func (r *Reconciler) openSize(ctx context.Context, object *infrav1.NutanixPlan) (int, error) {
	size, err := storedSize(object)
	if err != nil {
		return 0, err
	}
	file, err := r.Plans.FileSize(ctx, object)
	return size + file, err
}

// storedSize returns the size of a plan in etcd, where it is stored as JSON. A plan from a cache lacks its kind.
func storedSize(object *infrav1.NutanixPlan) (int, error) {
	complete := *object
	complete.SetGroupVersionKind(infrav1.GroupVersion.WithKind(kind))
	content, err := json.Marshal(complete)
	if err != nil {
		return 0, fmt.Errorf("encoding plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return len(content), nil
}

func (r *Reconciler) delete(ctx context.Context, object *infrav1.NutanixPlan) error {
	err := r.Client.Delete(ctx, object, client.Preconditions{UID: &object.UID})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return nil
}
