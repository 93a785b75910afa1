package nutanixmachine

import (
	"context"
	"errors"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

// publish writes spec.providerID and the addresses, which Cluster API reads. A machine is provisioned once its VM has
// an address.
func (r *Reconciler) publish(ctx context.Context, s *scope) (ctrl.Result, error) {
	uuid := s.uuid()
	if uuid == "" {
		return s.stop(infrav1.AddressesAssignedCondition, &provisioning.Problem{
			Reason: infrav1.WaitingForVMReason, Message: "the workspace has no output with the UUID of a virtual machine", Retry: true})
	}
	if !s.published() {
		s.nutanixMachine.Spec.ProviderID = providerid.Format(uuid) // a failover changes the UUID but not the providerID
	}
	s.nutanixMachine.Status.VMUUID = uuid
	if err := setIntent(s.nutanixMachine, nil); err != nil { // from now on the providerID and the state identify the VM
		return ctrl.Result{}, err
	}
	addresses, err := s.addresses(ctx)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		return s.stop(infrav1.InputsResolvedCondition, provisioning.Diagnose(err)) // the next reconcile searches for the VM
	case err != nil && ptr.Deref(s.nutanixMachine.Status.Initialization.Provisioned, false):
		return ctrl.Result{}, nil // the addresses do not change, and checkHealth reports the error
	case err != nil:
		return s.stop(infrav1.AddressesAssignedCondition, provisioning.Diagnose(err))
	}
	list := machineAddresses(s.machine.Name, addresses)
	if len(list) == 1 {
		return s.stop(infrav1.AddressesAssignedCondition, &provisioning.Problem{
			Reason:  infrav1.WaitingForAddressesReason,
			Message: "the virtual machine has no address: Prism Central assigns one where the subnet has IP management, otherwise it shows what the guest got from DHCP",
			Retry:   true,
		})
	}
	s.nutanixMachine.Status.Addresses = list
	provisioning.Set(s.nutanixMachine, infrav1.AddressesAssignedCondition, metav1.ConditionTrue, infrav1.AddressesAssignedReason, "")
	s.nutanixMachine.Status.Initialization.Provisioned = ptr.To(true)
	return ctrl.Result{}, nil
}

// addresses returns the addresses in the outputs of the workspace. If there are none, addresses reads the current addresses from Prism
// Central. With the v4 API it always does so, because the provider does not read IPv6 addresses.
func (s *scope) addresses(ctx context.Context) ([]string, error) {
	if !usesV4(s.nutanixMachine) && s.outputs != nil && len(machineAddresses("", s.outputs.Addresses)) > 1 {
		return s.outputs.Addresses, nil
	}
	vm, err := s.readVM(ctx)
	if err != nil {
		return nil, err
	}
	return vm.Addresses, nil
}

// seen is the result of readVM for a UUID.
type seen struct {
	uuid string
	vm   *prism.VM
	err  error
	// known is true if this reconcile did not read the VM itself, see observeKnown.
	known bool
}

// readTimeout limits how long a reconcile waits for Prism Central.
const readTimeout = 10 * time.Second

// readVM reads the VM of the machine from Prism Central. It sends at most one request in each reconcile.
func (s *scope) readVM(ctx context.Context) (*prism.VM, error) {
	if uuid := s.vmUUID(); s.seen == nil || s.seen.uuid != uuid {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		vm, err := s.access.Client.VM(ctx, uuid)
		s.seen = &seen{uuid: uuid, vm: vm, err: err}
	}
	return s.seen.vm, s.seen.err
}

// machineAddresses returns the host name, followed by the addresses in the order of the network cards. It omits
// link-local addresses, because other machines cannot reach them.
func machineAddresses(hostName string, addresses []string) []clusterv1.MachineAddress {
	list := []clusterv1.MachineAddress{{Type: clusterv1.MachineHostName, Address: hostName}}
	for _, address := range addresses {
		if parsed, err := netip.ParseAddr(address); err == nil && !parsed.IsLinkLocalUnicast() {
			list = append(list, clusterv1.MachineAddress{Type: clusterv1.MachineInternalIP, Address: address})
		}
	}
	return list
}

// checkHealth reports whether Prism Central can be reached and whether the VM is switched on.
func (r *Reconciler) checkHealth(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.seen == nil {
		r.reportPower(ctx, s) // the VM has just been created
	}
	if _, err := s.readVM(ctx); err != nil {
		problem := provisioning.Diagnose(err)
		provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionFalse, problem.Reason, problem.Message)
	} else {
		provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionTrue, infrav1.InputsResolvedReason, "")
	}
	return ctrl.Result{RequeueAfter: sooner(s.requeueAfter, r.HealthInterval)}, nil
}
