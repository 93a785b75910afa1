// Package provisioning contains the shared code of the controllers whose objects have a Terraform workspace. It returns
// the settings and the backend of a workspace. It also writes the result of a pipeline step to the conditions, status
// and events of an object.
package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/events"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/text"
	"github.com/capnt/capnt/renderer"
)

// Dependencies contains the clients and settings that the reconcilers of objects with a workspace need.
type Dependencies struct {
	Client client.Client
	// Reader reads from the API server without a cache.
	Reader   client.Reader
	Prism    *prism.Resolver
	Pipeline *lifecycle.Pipeline
	Recorder events.EventRecorder
	// ProviderVersion is the default version of the nutanix provider, for clusters that specify none. ProviderVersions
	// are all versions that runs may use. If ProviderVersions is empty, only ProviderVersion may be used.
	ProviderVersion  string
	ProviderVersions []string
	// WatchFilterValue limits the reconciler to objects with this value of the label cluster.x-k8s.io/watch-filter.
	WatchFilterValue string
	// ApprovalFloor are the approval rules of the manager. The rules of a cluster can only be stricter.
	ApprovalFloor infrav1.TerraformApproval
	// GitOps are the accounts of GitOps controllers. They are the author of no change.
	GitOps sets.Set[string]
	// DriftInterval is the interval at which an applied workspace is compared with Prism Central, unless the cluster
	// sets another interval. Zero means never. HealthInterval is the interval at which a VM is read.
	DriftInterval, HealthInterval time.Duration
	// AbsencePeriod is the time for which Prism Central must not find a VM before the absence of the VM is confirmed.
	// Zero means DefaultAbsencePeriod.
	AbsencePeriod time.Duration
}

// DefaultAbsencePeriod is longer than the time for which lists of Prism Central are stale, and longer than a create
// request can take to arrive.
const DefaultAbsencePeriod = 3 * time.Minute

// Object is an object with conditions.
type Object interface {
	client.Object
	conditions.Setter
}

// Ignores reports whether this manager does not reconcile an object, because the object has another watch filter or is
// managed externally. Watches of other kinds enqueue such objects, too, so the predicates of the controller do not
// suffice.
func (d *Dependencies) Ignores(object client.Object) bool {
	return d.WatchFilterValue != "" && object.GetLabels()[clusterv1.WatchLabel] != d.WatchFilterValue ||
		annotations.IsExternallyManaged(object)
}

// Released reports whether an object that is being deleted has no finalizer any more or no longer exists. It reads past
// the cache, because a stale cache still contains an object that was just deleted. If Terraform ran for such an object,
// it would create a state that nothing removes.
func (d *Dependencies) Released(ctx context.Context, object client.Object, finalizer string) (bool, error) {
	current := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	if err := d.Reader.Get(ctx, client.ObjectKeyFromObject(object), current); apierrors.IsNotFound(err) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("reading %s past the cache: %w", client.ObjectKeyFromObject(object), err)
	}
	return current.GetUID() != object.GetUID() || !controllerutil.ContainsFinalizer(current, finalizer), nil
}

// Settings returns the backend and the provider version for an object of the cluster.
func (d *Dependencies) Settings(ctx context.Context, cluster *infrav1.NutanixCluster, kind string, object client.Object) (renderer.Settings, lifecycle.Backend, error) {
	version, err := d.VersionFor(cluster, object)
	if err != nil {
		return renderer.Settings{}, lifecycle.Backend{}, err
	}
	environment, err := d.backendEnvironment(ctx, cluster.Namespace, backendOf(cluster))
	if err != nil {
		return renderer.Settings{ProviderVersion: version}, lifecycle.Backend{}, err
	}
	return settings(cluster, kind, object, version, environment)
}

// RecordedSettings returns the settings of the last run of an object of the cluster. It needs only the objects. A version in the spec of
// the cluster takes precedence, as in the next run.
func RecordedSettings(cluster *infrav1.NutanixCluster, kind string, object client.Object) (renderer.Settings, error) {
	version := RecordedVersion(object)
	if terraform := cluster.Spec.Terraform; terraform != nil && terraform.ProviderVersion != "" &&
		(RecordedAPI(object) != renderer.APIV4 || providerSupportsV4(terraform.ProviderVersion)) {
		version = terraform.ProviderVersion
	}
	if version == "" {
		return renderer.Settings{}, fmt.Errorf("rendering the workspace of %s %s: Terraform has not run for it yet, so its provider version is not known",
			kind, client.ObjectKeyFromObject(object))
	}
	result, _, err := settings(cluster, kind, object, version, nil)
	return result, err
}

func settings(cluster *infrav1.NutanixCluster, kind string, object client.Object, version string, environment map[string]string) (renderer.Settings, lifecycle.Backend, error) {
	result := renderer.Settings{API: RecordedAPI(object), ProviderVersion: version}
	backend, err := lifecycle.BackendFor(backendOf(cluster), StateSuffix(kind, object), object.GetNamespace(), object.GetName(), environment)
	if err != nil {
		return result, backend, &Problem{Reason: infrav1.BackendConfigInvalidReason, Message: err.Error()}
	}
	result.Backend = backend.Backend
	return result, backend, nil
}

func backendOf(cluster *infrav1.NutanixCluster) *infrav1.TerraformBackend {
	if cluster.Spec.Terraform == nil {
		return nil
	}
	return cluster.Spec.Terraform.Backend
}

// backendEnvironment returns the environment variables that the Secret of spec.terraform.backend.configSecretRef contains.
func (d *Dependencies) backendEnvironment(ctx context.Context, namespace string, spec *infrav1.TerraformBackend) (map[string]string, error) {
	if spec == nil || spec.ConfigSecretRef == nil {
		return nil, nil
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: namespace, Name: spec.ConfigSecretRef.Name}
	if err := d.Client.Get(ctx, key, secret); apierrors.IsNotFound(err) {
		return nil, &Problem{Reason: infrav1.BackendConfigNotFoundReason, Message: fmt.Sprintf(
			"secret %s, which spec.terraform.backend.configSecretRef names, does not exist: create it", key), Retry: true}
	} else if err != nil {
		return nil, fmt.Errorf("reading backend secret %s: %w", key, err)
	}
	environment, err := lifecycle.Environment(spec, secret.Data, d.Pipeline.OpenTofu)
	if err != nil {
		return nil, &Problem{Reason: infrav1.BackendConfigInvalidReason, Message: fmt.Sprintf(
			"secret %s, which spec.terraform.backend.configSecretRef names, cannot be used: %v", key, err)}
	}
	return environment, nil
}

// CheckInterval returns the interval at which an object of the cluster is compared with Prism Central.
func (d *Dependencies) CheckInterval(cluster *infrav1.NutanixCluster) time.Duration {
	if terraform := cluster.Spec.Terraform; terraform != nil && terraform.Drift != nil && terraform.Drift.IntervalSeconds != nil {
		return time.Duration(*terraform.Drift.IntervalSeconds) * time.Second
	}
	return d.DriftInterval
}

// Remembered returns the results of earlier runs, which are stored in the status of an object.
func Remembered(object Object, status *infrav1.TerraformStatus) lifecycle.Remembered {
	remembered := lifecycle.Remembered{
		Current:    inSync(object),
		Unfinished: conditions.IsFalse(object, infrav1.AppliedCondition) || planWaited(object),
		Workspace:  object.GetAnnotations()[infrav1.AppliedWorkspaceAnnotation],
	}
	if status == nil {
		return remembered
	}
	remembered.Applied = lifecycle.Applied{WorkspaceDigest: status.WorkspaceDigest, Lineage: status.Lineage, Serial: status.Serial}
	remembered.Outdated = status.WorkspaceDigest != "" && !renderer.DigestIsCurrent(status.WorkspaceDigest)
	switch {
	case status.LastCheckTime != nil:
		remembered.Checked, remembered.Digest = status.LastCheckTime.Time, status.InfrastructureDigest
	case status.LastAppliedTime != nil:
		remembered.Checked = status.LastAppliedTime.Time // CAPNT 0.1 wrote no time of the last check
	}
	return remembered
}

// planWaited reports whether a recorded plan waits for a decision, according to the conditions of the object.
func planWaited(object Object) bool {
	switch conditions.GetReason(object, infrav1.PlanRecordedCondition) {
	case infrav1.DisruptivePlanReason, infrav1.WaitingForApprovalReason, infrav1.DeniedReason, infrav1.CategoryValuesAmbiguousReason:
		return true
	}
	return false
}

// Publish writes the result of a pipeline step to the conditions, the Terraform status and the events of an object.
func (d *Dependencies) Publish(object Object, status **infrav1.TerraformStatus, result lifecycle.Result) {
	if *status == nil {
		*status = &infrav1.TerraformStatus{}
	}
	(*status).API = infrav1.RecordedPrismAPI(object)
	result.Record(*status, d.Pipeline.TerraformVersion, cmp.Or(RecordedVersion(object), d.ProviderVersion))
	(*status).API = infrav1.RecordedPrismAPI(object)
	if result.Applied != nil {
		annotations.AddAnnotations(object, map[string]string{infrav1.AppliedWorkspaceAnnotation: result.Applied.WorkspaceDigest})
	}
	for _, event := range result.Events {
		d.Event(object, event)
	}
	applied := conditions.IsTrue(object, infrav1.AppliedCondition)
	checkFailed := (result.State == lifecycle.Failed || result.State == lifecycle.Locked) && !result.ApplyFailed()
	switch {
	case result.State == lifecycle.Running && !result.Applying && (result.Err != nil || applied):
		return // a check for drift does not make an object that is in sync unready, and a retry does not hide the last failure
	case result.State == lifecycle.Held && applied:
		return // another condition explains why nothing is planned
	case applied && infrav1.MigratingPrismAPI(object) != "" && object.GetDeletionTimestamp().IsZero() && result.State != lifecycle.InSync && !result.Waiting():
		return // the infrastructure stays as it is, and another condition reports the migration
	case checkFailed && applied && planWaited(object):
		return // the waiting plan is still the latest plan
	}
	for _, condition := range result.Conditions(!object.GetDeletionTimestamp().IsZero()) {
		if condition.Type == infrav1.AppliedCondition && (checkFailed && inSync(object) || result.Waiting() && applied) {
			continue // the last apply is still valid, and the condition keeps its generation
		}
		conditions.Set(object, condition)
	}
	if decided := result.Decided(); decided != nil {
		conditions.Set(object, *decided)
	}
}

// Destroy runs one step of the destruction of an object's workspace. It reports true when no infrastructure is left in
// Prism Central and the Terraform state is removed.
func (d *Dependencies) Destroy(ctx context.Context, target lifecycle.Target, object Object, status **infrav1.TerraformStatus) (_ lifecycle.Result, done bool, err error) {
	result := d.Pipeline.Step(ctx, target)
	d.Publish(object, status, result)
	if result.State != lifecycle.InSync {
		return result, false, nil
	}
	if err := d.remove(ctx, target); err != nil {
		return result, false, err
	}
	return result, true, nil
}

// remove removes the Terraform state of an object at the end of its deletion. It also removes the data that the
// pipeline stores in memory for the object.
func (d *Dependencies) remove(ctx context.Context, target lifecycle.Target) error {
	if err := d.Pipeline.RemoveState(ctx, target); err != nil {
		return err
	}
	d.Pipeline.Forget(target)
	return nil
}

// inSyncOrWaiting reports whether no run will change the infrastructure of an object, because the current spec is
// applied or a recorded plan waits for a decision.
func inSyncOrWaiting(object Object) bool {
	return inSync(object) ||
		planWaited(object) && conditions.IsTrue(object, infrav1.AppliedCondition) && object.GetDeletionTimestamp().IsZero()
}

// inSync reports whether the current spec of an object is applied, according to the conditions of the object.
func inSync(object Object) bool {
	applied := conditions.Get(object, infrav1.AppliedCondition)
	return applied != nil && applied.Status == metav1.ConditionTrue && applied.ObservedGeneration == object.GetGeneration() &&
		object.GetDeletionTimestamp().IsZero()
}

// NoteLength is the length of the longest note that the events API accepts, in bytes.
const NoteLength = 1024

// Event records an event for an object.
func (d *Dependencies) Event(object Object, event lifecycle.Event) {
	d.Recorder.Eventf(object, nil, event.Type, event.Reason, event.Action, "%s", text.Shorten(event.Message, NoteLength))
}

// Set writes one condition of an object.
func Set(object Object, conditionType string, status metav1.ConditionStatus, reason, message string) {
	conditions.Set(object, metav1.Condition{Type: conditionType, Status: status, Reason: reason, Message: message})
}
