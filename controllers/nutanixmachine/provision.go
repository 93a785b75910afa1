package nutanixmachine

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/renderer"
)

// outputs are the outputs of a machine's workspace that the controller reads.
type outputs struct {
	VMUUID    string   `json:"vm_uuid"`
	Addresses []string `json:"addresses"`
}

// connect resolves the credentials and creates the client for Prism Central.
func (r *Reconciler) connect(ctx context.Context, s *scope) (ctrl.Result, error) {
	access, err := r.accessToPrism(ctx, s)
	if err != nil {
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err))
	}
	s.access = access
	return ctrl.Result{}, nil
}

// accessToPrism returns the Access of the cluster. A machine of the v4 API reads through v4 even if its cluster already went back to v3,
// because the v3 API has no UUIDs of categories.
func (r *Reconciler) accessToPrism(ctx context.Context, s *scope) (*prism.Access, error) {
	if usesV4(s.nutanixMachine) {
		return r.Prism.AccessThrough(ctx, s.nutanixCluster, prism.V4)
	}
	return r.Prism.Access(ctx, s.nutanixCluster)
}

// provision runs the next step for the machine's workspace. If no step is due, provision starts no process and resolves
// no names.
func (r *Reconciler) provision(ctx context.Context, s *scope) (ctrl.Result, error) {
	version, err := r.VersionFor(s.nutanixCluster, s.nutanixMachine)
	if err != nil {
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err))
	}
	if s.uuid() != "" && !s.migrating() && s.plannedWith(version) && r.Pipeline.Idle(r.unrendered(s)) {
		return ctrl.Result{}, nil
	}
	if result, running := r.Pipeline.Running(r.unrendered(s)); running {
		r.Publish(s.nutanixMachine, &s.nutanixMachine.Status.Terraform, result)
		s.unfinished = true
		return ctrl.Result{RequeueAfter: r.HealthInterval}, nil // a queued run may wait for long
	}
	api := provisioning.APIFor(s.nutanixCluster, s.nutanixMachine)
	if err := r.EnsureWorkspaceKey(ctx, kind, s.nutanixMachine, api, version); err != nil {
		return ctrl.Result{}, err
	}
	if problem, delay := r.lookUps.Failed(r.key(s), s.specVersions(), r.Pipeline.Clock.Now()); problem != nil {
		return r.retryLookUps(s, problem, delay)
	}
	target, err := r.target(ctx, s)
	if err != nil {
		return r.targetFailed(ctx, s, err)
	}
	r.lookUps.Forget(r.key(s))
	provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionTrue, infrav1.InputsResolvedReason, "")
	if err := r.pin(ctx, s); err != nil || s.unfinished {
		return ctrl.Result{}, err
	}
	result := r.Pipeline.Step(ctx, target)
	r.Publish(s.nutanixMachine, &s.nutanixMachine.Status.Terraform, result)
	if err := r.EndMigration(ctx, &r.migrations, s.nutanixMachine, s.nutanixMachine.Status.Terraform, target.Key(), result); err != nil {
		return ctrl.Result{}, err
	}
	switch result.State {
	case lifecycle.InSync:
		return ctrl.Result{}, s.readBack(result)
	case lifecycle.AwaitingDecision, lifecycle.Drifted, lifecycle.Denied, lifecycle.Held:
		if ptr.Deref(s.nutanixMachine.Status.Initialization.Provisioned, false) || s.published() {
			s.requeueAfter = result.RetryAfter
			return ctrl.Result{}, nil // the health of the VM is checked while the plan waits
		}
		result.RetryAfter = sooner(result.RetryAfter, r.HealthInterval)
	case lifecycle.NoPlan, lifecycle.PlanStale, lifecycle.Approved, lifecycle.Running, lifecycle.Locked, lifecycle.Failed:
	}
	s.unfinished = true
	return ctrl.Result{RequeueAfter: result.RetryAfter}, nil
}

// targetFailed reports that the target could not be prepared. A machine that is being migrated stays with its former API.
func (r *Reconciler) targetFailed(ctx context.Context, s *scope, err error) (ctrl.Result, error) {
	if s.migrating() {
		return ctrl.Result{}, r.RefuseMigration(ctx, &r.migrations, s.nutanixMachine, r.key(s), err)
	}
	problem := provisioning.Diagnose(err)
	return r.retryLookUps(s, problem, r.lookUps.Fail(r.key(s), s.specVersions(), problem, r.Pipeline.Clock.Now()))
}

// retryLookUps reports a problem that prevents a plan. The look-ups are repeated after delay. The health of an existing VM is checked
// meanwhile.
func (r *Reconciler) retryLookUps(s *scope, problem *provisioning.Problem, delay time.Duration) (ctrl.Result, error) {
	result, err := s.stop(infrav1.InputsResolvedCondition, problem)
	result.RequeueAfter = sooner(delay, r.HealthInterval)
	return result, err
}

// specVersions returns a string that changes whenever a user changes an object that determines the look-ups of the machine.
func (s *scope) specVersions() string {
	return fmt.Sprint(s.nutanixMachine.Generation, s.machine.Generation, s.nutanixCluster.Generation, s.access.Upstream.Digest())
}

// plannedWith reports whether the last run used the provider version version. After a change of the version, a plan has
// to show that nothing changes.
func (s *scope) plannedWith(version string) bool {
	terraform := s.nutanixMachine.Status.Terraform
	return terraform == nil || terraform.ProviderVersion == "" || terraform.ProviderVersion == version
}

// unrendered returns the target without the fields that only a Terraform run needs. A VM that cannot be read is not checked for drift,
// because a run could not read it either.
func (r *Reconciler) unrendered(s *scope) lifecycle.Target {
	interval := r.CheckInterval(s.nutanixCluster)
	if s.seen != nil && s.seen.err != nil {
		interval = 0
	}
	remembered := provisioning.Remembered(s.nutanixMachine, s.nutanixMachine.Status.Terraform)
	remembered.Published = s.published()
	_, cycled := s.nutanixMachine.Annotations[infrav1.PowerCycleAnnotation]
	remembered.Unfinished = remembered.Unfinished || cycled || s.migrating()
	remembered.Current = remembered.Current && !s.misplaced()
	return lifecycle.Target{
		Object:      s.nutanixMachine.DeepCopy(),
		Kind:        kind,
		Desired:     lifecycle.Desired{CheckInterval: interval},
		Remembered:  remembered,
		Observation: s.observation(),
	}
}

func (r *Reconciler) target(ctx context.Context, s *scope) (lifecycle.Target, error) {
	inputs, err := r.gather(ctx, s)
	if err != nil {
		return lifecycle.Target{}, err
	}
	variables, err := r.variables(ctx, s, inputs)
	if err != nil {
		return lifecycle.Target{}, err
	}
	return r.complete(ctx, s, inputs, variables)
}

// complete renders the workspace and returns the complete target.
func (r *Reconciler) complete(ctx context.Context, s *scope, inputs renderer.Machine, variables map[string]string) (lifecycle.Target, error) {
	settings, backend, err := r.Settings(ctx, s.nutanixCluster, kind, s.nutanixMachine)
	if err != nil {
		return lifecycle.Target{}, err
	}
	target := r.unrendered(s)
	if target.Workspace, err = renderer.RenderMachine(settings, inputs); err != nil {
		return lifecycle.Target{}, err
	}
	pins, err := s.pins.encode()
	if err != nil {
		return lifecycle.Target{}, err
	}
	identity := identity{reconciler: r, central: s.access.Client, machine: r.recorded(s.nutanixMachine), key: target.Key(), name: inputs.Name,
		deleting: target.Deleting()}
	target.Backend = backend
	target.Approval = r.Approval(s.nutanixCluster, s.nutanixMachine.DeepCopy())
	origin, source, err := r.MachineOrigin(ctx, s.cluster, s.machine, s.nutanixMachine)
	if err != nil {
		return lifecycle.Target{}, err
	}
	target.Origin = origin
	target.ProviderVersion = settings.ProviderVersion
	target.Variables = variables
	target.Upstream = s.access.Upstream
	target.Resource = settings.API.MachineAddress()
	observer := observer{client: s.access.Client, machine: s.nutanixMachine.DeepCopy(), recorded: identity.machine}
	now := func() time.Time { return r.Pipeline.Clock.Now() } // an export has no pipeline
	target.Hooks = lifecycle.Hooks{Identify: identity.identify, Healthy: identity.healthy, Deleted: identity.deleted, Remaining: identity.remaining,
		Revision:      func(ctx context.Context) string { return r.Revision(ctx, source) },
		Observe:       observer.observe,
		PowerCycle:    observer.powerCycle,
		BeforeDestroy: r.detacher(s).detach,
		Creates: &createRecorder{machine: identity.machine, run: uuid.NewString(), now: now,
			annotations: map[string]string{infrav1.PinnedInputsAnnotation: pins}}}
	s.setMigration(&target, settings.API)
	return target, nil
}

// readBack parses the outputs of the workspace. A manager that has restarted does not have the outputs, so later
// steps read the VM from Prism Central instead.
func (s *scope) readBack(result lifecycle.Result) error {
	if result.Outputs == nil {
		return nil
	}
	read := &outputs{}
	for name, into := range map[string]any{"vm_uuid": &read.VMUUID, "addresses": &read.Addresses} {
		if err := json.Unmarshal(result.Outputs[name], into); err != nil {
			return fmt.Errorf("reading output %s of the machine's workspace: %w", name, err)
		}
	}
	s.outputs = read
	return nil
}

// uuid returns the UUID of the VM, or an empty string. The UUID is known if the object has published the VM or the
// workspace has just created it.
func (s *scope) uuid() string {
	if s.outputs != nil && s.outputs.VMUUID != "" {
		return s.outputs.VMUUID
	}
	if s.published() {
		return vmUUIDOf(s.nutanixMachine)
	}
	return ""
}

// published reports whether the machine has published its VM in spec.providerID.
func (s *scope) published() bool {
	_, published := providerid.Parse(s.nutanixMachine.Spec.ProviderID)
	return published
}

// vmUUID returns the UUID of the VM once Prism Central has accepted the create request, or an empty string.
func (s *scope) vmUUID() string { return cmp.Or(s.uuid(), vmUUIDOf(s.nutanixMachine)) }

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
