package nutanixmachine

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/renderer"
)

// outputs are the outputs of a machine's workspace.
type outputs struct {
	VMUUID    string   `json:"vm_uuid"`
	Addresses []string `json:"addresses"`
}

// connect finds the way to Prism Central.
func (r *Reconciler) connect(ctx context.Context, s *scope) (ctrl.Result, error) {
	access, err := r.Prism.Access(ctx, s.nutanixCluster)
	if err != nil {
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err))
	}
	s.access = access
	return ctrl.Result{}, nil
}

// provision takes the next step of the machine's workspace. A machine with nothing to do costs neither a process nor a
// look-up.
func (r *Reconciler) provision(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.uuid() != "" && r.Pipeline.Idle(r.unrendered(s)) {
		return ctrl.Result{}, nil
	}
	if err := r.EnsureWorkspaceKey(ctx, kind, s.nutanixMachine); err != nil {
		return ctrl.Result{}, err
	}
	if result, err := r.checkJournal(ctx, s); err != nil || !result.IsZero() || s.unfinished {
		return result, err
	}
	target, err := r.target(ctx, s)
	if err != nil {
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err))
	}
	provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionTrue, infrav1.InputsResolvedReason, "")
	if err := r.pin(ctx, s); err != nil || s.unfinished {
		return ctrl.Result{}, err
	}
	result := r.Pipeline.Step(target)
	r.Publish(s.nutanixMachine, &s.nutanixMachine.Status.Terraform, result)
	switch result.State {
	case lifecycle.InSync:
		return ctrl.Result{}, s.readBack(result)
	case lifecycle.AwaitingDecision, lifecycle.Drifted, lifecycle.Denied, lifecycle.Held:
		if ptr.Deref(s.nutanixMachine.Status.Initialization.Provisioned, false) {
			s.requeueAfter = result.RetryAfter
			return ctrl.Result{}, nil // the health of the VM is checked while its plan waits
		}
		result.RetryAfter = sooner(result.RetryAfter, r.HealthInterval)
	case lifecycle.Lost:
		s.lose()
	case lifecycle.NoPlan, lifecycle.PlanStale, lifecycle.Approved, lifecycle.Running, lifecycle.Locked, lifecycle.Failed:
	}
	s.unfinished = true
	return ctrl.Result{RequeueAfter: result.RetryAfter}, nil
}

// unrendered returns the target without what only a run needs.
func (r *Reconciler) unrendered(s *scope) lifecycle.Target {
	remembered := provisioning.Remembered(s.nutanixMachine, s.nutanixMachine.Status.Terraform)
	remembered.Lost = ptr.Deref(s.nutanixMachine.Status.FailureReason, "") == infrav1.VMLostReason
	return lifecycle.Target{
		Object:      s.nutanixMachine.DeepCopy(),
		Kind:        kind,
		Desired:     lifecycle.Desired{CheckInterval: r.CheckInterval(s.nutanixCluster)},
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

// complete renders the workspace and puts the target together.
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
	identity := identity{client: s.access.Client, machine: s.nutanixMachine.DeepCopy(), name: inputs.Name,
		lasting: func(uuid string) bool { return r.missing.lasting(uuid, r.Pipeline.Clock.Now()) }}
	target.Backend = backend
	target.Variables = variables
	target.Upstream = s.access.Upstream
	target.Resource = renderer.MachineAddress
	target.ProviderVersion = settings.ProviderVersion
	target.Hooks = lifecycle.Hooks{Identify: identity.identify, Healthy: identity.healthy,
		Observe: observer{client: s.access.Client, machine: identity.machine}.observe,
		Creates: vmRecorder{client: r.Client, machine: identity.machine, pins: pins}}
	return target, nil
}

// readBack takes the outputs over; a process that has restarted since the last run has none and reads Prism Central instead.
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

// lose records that the machine is gone, which only a new one cures.
func (s *scope) lose() {
	reason := infrav1.VMLostReason
	message := "the virtual machine disappeared from Prism Central; it is not made again with stale bootstrap data: delete the Machine, or let a MachineHealthCheck replace it"
	if s.uuid() != "" {
		message = "virtual machine " + s.uuid() + strings.TrimPrefix(message, "the virtual machine")
	}
	s.nutanixMachine.Status.FailureReason, s.nutanixMachine.Status.FailureMessage = &reason, &message
	provisioning.Set(s.nutanixMachine, infrav1.AppliedCondition, metav1.ConditionFalse, reason, message)
}

// uuid is the UUID of the machine that the object is known to be, or empty.
func (s *scope) uuid() string {
	if s.outputs != nil && s.outputs.VMUUID != "" {
		return s.outputs.VMUUID
	}
	uuid, _ := providerid.Parse(s.nutanixMachine.Spec.ProviderID)
	return uuid
}

// vmUUID is the UUID of the VM from the moment at which Prism Central accepted its creation, or empty.
func (s *scope) vmUUID() string { return cmp.Or(s.uuid(), s.nutanixMachine.Status.VMUUID) }

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
