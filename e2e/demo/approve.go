package demo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// auditLog is the path of the audit trail that the manager writes.
func (d *Demo) auditLog() string { return filepath.Join(d.dir, "audit.log") }

// driftInterval is how often the manager of the demo reads the VMs and compares them with what it has applied.
const driftInterval = 15 * time.Second

// approve shows how a change of a running VM waits for an approval, and what remains of it: somebody adds memory to a worker in Prism, and
// the plan that reverts this power-cycles the VM.
func (d *Demo) approve(ctx context.Context) error {
	machine, err := d.worker(ctx)
	if err != nil || machine == nil {
		return err
	}
	d.Out.Phase("Somebody adds memory to the VM of %s in Prism: the plan that reverts it would power-cycle the VM, so it waits", machine.Name)
	vm := prismsim.VMChange{MemoryMiB: ptr.To(machine.Spec.MemorySize.Value()>>20 + 1024)}
	if err := d.stack.Prism.ChangeVM(machine.Status.VMUUID, vm); err != nil {
		return fmt.Errorf("adding memory to the VM of %s: %w", machine.Name, err)
	}
	waiting, err := d.awaitPlan(ctx, machine, infrav1.PlanPhaseWaiting)
	if err != nil {
		return err
	}
	for _, arguments := range [][]string{
		{"plan", "list"},
		{"plan", "show", waiting.Name},
		{"plan", "approve", waiting.Name, "--reason", "CHG-4711", "--yes", "--as", "platform-admin", "--as-group", "system:masters"},
	} {
		if err := d.capnt(ctx, machine.Namespace, arguments...); err != nil {
			return err
		}
	}
	applied, err := d.awaitPlan(ctx, machine, infrav1.PlanPhaseApplied)
	if err != nil {
		return err
	}
	if err := d.capnt(ctx, machine.Namespace, "plan", "list"); err != nil {
		return err
	}
	if err := d.capnt(ctx, machine.Namespace, "audit", "verify", d.auditLog(), "--manager-namespace", metav1.NamespaceDefault); err != nil {
		return err
	}
	d.Out.Done("The plan was applied %s after it was approved, and the audit trail is whole",
		applied.Status.FinishedTime.Sub(applied.Status.DecidedTime.Time).Round(time.Second))
	return nil
}

// worker returns a machine of a MachineDeployment, or nil if there is none.
func (d *Demo) worker(ctx context.Context) (*infrav1.NutanixMachine, error) {
	machines := &infrav1.NutanixMachineList{}
	if err := d.stack.Env.Client.List(ctx, machines, client.HasLabels{clusterv1.MachineDeploymentNameLabel}); err != nil {
		return nil, fmt.Errorf("listing NutanixMachines: %w", err)
	}
	if len(machines.Items) == 0 {
		return nil, nil
	}
	return &machines.Items[0], nil
}

// awaitPlan waits until a plan that reverts drift of the machine is in a phase, and returns its plan.
func (d *Demo) awaitPlan(ctx context.Context, machine *infrav1.NutanixMachine, phase infrav1.PlanPhase) (*infrav1.NutanixPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	var found *infrav1.NutanixPlan
	err := d.stack.Env.Wait(ctx, fmt.Sprintf("the plan of %s to be %s", machine.Name, phase), func(ctx context.Context) (bool, string, error) {
		plans := &infrav1.NutanixPlanList{}
		if err := d.stack.Env.Client.List(ctx, plans, client.InNamespace(machine.Namespace)); err != nil {
			return false, "", err
		}
		seen := ""
		for i := range plans.Items {
			if plan := &plans.Items[i]; plan.Spec.Target.Name == machine.Name && plan.Spec.Cause == infrav1.PlanCauseDrift {
				seen += fmt.Sprintf("%s is %s %s; ", plan.Name, plan.Status.Phase, plan.Status.Message)
				if plan.Status.Phase == phase {
					found = plan
				}
			}
		}
		return found != nil, seen, nil
	})
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	return found, nil
}

// capnt runs the command line program and prints its output. Like kubectl diff, the program exits with 1 if something waits.
func (d *Demo) capnt(ctx context.Context, namespace string, arguments ...string) error {
	name := "capnt"
	for _, argument := range arguments {
		name += " " + argument
	}
	return d.show(name, func() (string, error) {
		arguments := append([]string{"--kubeconfig", d.stack.Env.Kubeconfig(), "--namespace", namespace}, arguments...)
		output, err := exec.CommandContext(ctx, d.stack.Tool("bin/capnt"), arguments...).CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			err = nil
		}
		return string(output), err
	})
}
