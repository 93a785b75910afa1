// Package nutanixmachine reconciles NutanixMachine: one virtual machine, which Terraform creates, updates and destroys.
package nutanixmachine

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/finalizers"
	"sigs.k8s.io/cluster-api/util/patch"
	"sigs.k8s.io/cluster-api/util/predicates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
)

// kind is the name of the kind in pipeline targets, Terraform states and metrics.
const kind = "NutanixMachine"

// Reconciler reconciles NutanixMachine objects.
type Reconciler struct {
	provisioning.Dependencies
	// ReadInterval is how long reconciles use the VM that another reconcile of the machine has read. Zero means that each one reads it.
	ReadInterval time.Duration

	lookUps     provisioning.LookUps
	absences    absences
	detachments detachments
	recent      recentVMs
	migrations  provisioning.Migrations
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachines,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachines/status;nutanixmachines/finalizers,verbs=get;update;patch
// +kubebuilder:rbac:groups=cluster.x-k8s.io,resources=machines;machines/status,verbs=get;list;watch

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	log := mgr.GetLogger().WithValues("controller", kind)
	scheme := mgr.GetScheme()
	clusterToMachines, err := util.ClusterToTypedObjectsMapper(r.Client, &infrav1.NutanixMachineList{}, scheme)
	if err != nil {
		return fmt.Errorf("mapping Clusters to NutanixMachines: %w", err)
	}
	err = r.WatchPlans(ctrl.NewControllerManagedBy(mgr), kind).
		For(&infrav1.NutanixMachine{}, builder.WithPredicates(predicates.ResourceHasFilterLabel(scheme, log, r.WatchFilterValue))).
		WithOptions(options).
		Watches(&clusterv1.Machine{}, handler.EnqueueRequestsFromMapFunc(
			util.MachineToInfrastructureMapFunc(infrav1.GroupVersion.WithKind(kind)))).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(clusterToMachines),
			builder.WithPredicates(predicates.ClusterPausedTransitionsOrInfrastructureProvisioned(scheme, log))).
		Watches(&infrav1.NutanixCluster{}, handler.EnqueueRequestsFromMapFunc(r.machinesOfCluster),
			builder.WithPredicates(prismAccessChanged)).
		Watches(&infrav1.NutanixMachine{}, handler.EnqueueRequestsFromMapFunc(r.machinesOfCluster), builder.WithPredicates(provisioning.MigrationEnded)).
		WatchesRawSource(source.Channel(r.Pipeline.Scheduler.Events(kind), &handler.EnqueueRequestForObject{})).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// Reconcile reconciles one NutanixMachine.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (_ ctrl.Result, reterr error) {
	nutanixMachine := &infrav1.NutanixMachine{}
	if err := r.Client.Get(ctx, request.NamespacedName, nutanixMachine); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.Ignores(nutanixMachine) {
		return ctrl.Result{}, nil
	}
	if provisioning.Moved(nutanixMachine) {
		return ctrl.Result{}, r.ReleaseMoved(ctx, nutanixMachine, kind, infrav1.NutanixMachineFinalizer)
	}
	scope, err := r.scope(ctx, nutanixMachine)
	if err != nil || scope == nil {
		return ctrl.Result{}, err
	}
	ctx = ctrl.LoggerInto(ctx, ctrl.LoggerFrom(ctx).WithValues("Machine", scope.machine.Name, "Cluster", scope.cluster.Name))

	if nutanixMachine.DeletionTimestamp.IsZero() {
		if added, err := finalizers.EnsureFinalizer(ctx, r.Client, nutanixMachine, infrav1.NutanixMachineFinalizer); err != nil || added {
			return ctrl.Result{}, err
		}
	}
	if ended, err := r.Pause(ctx, scope.cluster, nutanixMachine, kind, infrav1.NutanixMachineFinalizer); err != nil || ended {
		return ctrl.Result{}, err
	}
	helper, err := patch.NewHelper(nutanixMachine, r.Client)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("preparing to patch NutanixMachine %s: %w", request, err)
	}
	defer func() {
		if err := provisioning.Patch(context.WithoutCancel(ctx), helper, nutanixMachine, &nutanixMachine.Status.Ready, milestones); err != nil {
			reterr = kerrors.NewAggregate([]error{reterr, err})
		}
	}()
	if !nutanixMachine.DeletionTimestamp.IsZero() {
		scope.clearLostFailure()
		return r.reconcileDelete(ctx, scope)
	}
	return r.reconcile(ctx, scope)
}

// reconcile runs the steps towards a running machine in order. It stops at the first step that cannot finish now.
func (r *Reconciler) reconcile(ctx context.Context, s *scope) (ctrl.Result, error) {
	for _, step := range []func(context.Context, *scope) (ctrl.Result, error){
		r.checkPreconditions,
		r.migrate,
		r.connect,
		r.observeKnown,
		r.locate,
		r.observe,
		r.provision,
		r.publish,
		r.checkHealth,
	} {
		result, err := step(ctx, s)
		if err != nil || !result.IsZero() || s.unfinished {
			return result, err
		}
	}
	return ctrl.Result{RequeueAfter: sooner(s.requeueAfter, r.HealthInterval)}, nil
}

// scope contains the objects and the interim results of one reconcile.
type scope struct {
	cluster        *clusterv1.Cluster
	machine        *clusterv1.Machine
	nutanixCluster *infrav1.NutanixCluster
	nutanixMachine *infrav1.NutanixMachine
	access         *prism.Access
	// pins are the inputs of the machine that cannot change once its VM exists. unpinned is true if the VM exists but
	// the machine's annotation does not contain the pins.
	pins     pinnedInputs
	unpinned bool
	// outputs are the outputs of the workspace. They are nil unless a run of this process has read them.
	outputs *outputs
	// seen is the VM as this reconcile has read it from Prism Central, or nil.
	seen *seen
	// unfinished ends the reconcile if it is true. An event triggers the next reconcile.
	unfinished bool
	// requeueAfter is the delay after which provision has to run again. Zero means that no further run is needed.
	requeueAfter time.Duration
}

// sooner returns the shorter of two delays. It ignores a delay of zero, which means that no delay is set.
func sooner(one, other time.Duration) time.Duration {
	if one == 0 || other != 0 && other < one {
		return other
	}
	return one
}

// scope reads the owners and the NutanixCluster of a NutanixMachine. It returns nil if one of these objects does not
// exist yet.
func (r *Reconciler) scope(ctx context.Context, nutanixMachine *infrav1.NutanixMachine) (*scope, error) {
	machine, cluster, err := r.owners(ctx, nutanixMachine)
	if err != nil || machine == nil {
		return nil, err
	}
	nutanixCluster := &infrav1.NutanixCluster{}
	key := client.ObjectKey{Namespace: nutanixMachine.Namespace, Name: cluster.Spec.InfrastructureRef.Name}
	if err := r.Client.Get(ctx, key, nutanixCluster); apierrors.IsNotFound(err) {
		nutanixCluster = nil
	} else if err != nil {
		return nil, fmt.Errorf("getting NutanixCluster %s: %w", key, err)
	}
	return &scope{cluster: cluster, machine: machine, nutanixCluster: nutanixCluster, nutanixMachine: nutanixMachine}, nil
}

// stop sets a condition to False and ends the reconcile. The next reconcile follows an event or the retry interval of
// the problem.
func (s *scope) stop(conditionType string, problem *provisioning.Problem) (ctrl.Result, error) {
	provisioning.Set(s.nutanixMachine, conditionType, metav1.ConditionFalse, problem.Reason, problem.Message)
	return ctrl.Result{RequeueAfter: problem.After()}, nil
}

// wait sets a condition to False and ends the reconcile. An event triggers the next reconcile.
func (s *scope) wait(conditionType, reason, message string) (ctrl.Result, error) {
	provisioning.Set(s.nutanixMachine, conditionType, metav1.ConditionFalse, reason, message)
	s.unfinished = true
	return ctrl.Result{}, nil
}
