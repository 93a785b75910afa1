package nutanixmachine

import (
	"context"
	"errors"
	"net/netip"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/providerid"
)

// publish tells Cluster API which virtual machine it is and where it is reached. A machine without an address is not
// provisioned yet.
func (r *Reconciler) publish(ctx context.Context, s *scope) (ctrl.Result, error) {
	uuid := s.uuid()
	if uuid == "" {
		return s.stop(infrav1.AddressesAssignedCondition, &provisioning.Problem{
			Reason: infrav1.WaitingForVMReason, Message: "the workspace put out no UUID of a virtual machine", Retry: true})
	}
	s.nutanixMachine.Spec.ProviderID = providerid.Format(uuid)
	s.nutanixMachine.Status.VMUUID = uuid
	addresses, err := r.addresses(ctx, s, uuid)
	if err != nil {
		return s.stop(infrav1.AddressesAssignedCondition, provisioning.Diagnose(err))
	}
	if len(addresses) == 0 {
		return s.stop(infrav1.AddressesAssignedCondition, &provisioning.Problem{
			Reason:  infrav1.WaitingForAddressesReason,
			Message: "the virtual machine has no address: Prism Central assigns one where the subnet has IP management, otherwise it shows what the guest got from DHCP",
			Retry:   true,
		})
	}
	s.nutanixMachine.Status.Addresses = machineAddresses(s.machine.Name, addresses)
	provisioning.Set(s.nutanixMachine, infrav1.AddressesAssignedCondition, metav1.ConditionTrue, infrav1.AddressesAssignedReason, "")
	s.nutanixMachine.Status.Initialization.Provisioned = ptr.To(true)
	return ctrl.Result{}, nil
}

// addresses are those that the workspace put out, or those that Prism Central knows meanwhile. A machine that has
// disappeared keeps the ones it had: observe is about to say so.
func (r *Reconciler) addresses(ctx context.Context, s *scope, uuid string) ([]string, error) {
	if s.outputs != nil && len(s.outputs.Addresses) > 0 {
		return s.outputs.Addresses, nil
	}
	vm, err := s.access.Client.VM(ctx, uuid)
	var notFound *prism.NotFoundError
	if errors.As(err, &notFound) {
		return published(s.nutanixMachine.Status.Addresses), nil
	}
	if err != nil {
		return nil, err
	}
	return vm.Addresses, nil
}

func published(addresses []clusterv1.MachineAddress) []string {
	var list []string
	for _, address := range addresses {
		if address.Type == clusterv1.MachineInternalIP {
			list = append(list, address.Address)
		}
	}
	return list
}

// machineAddresses lists the host name, then the addresses in the order of the network cards. Link-local addresses are of
// no use to others.
func machineAddresses(hostName string, addresses []string) []clusterv1.MachineAddress {
	list := []clusterv1.MachineAddress{{Type: clusterv1.MachineHostName, Address: hostName}}
	for _, address := range addresses {
		if parsed, err := netip.ParseAddr(address); err == nil && !parsed.IsLinkLocalUnicast() {
			list = append(list, clusterv1.MachineAddress{Type: clusterv1.MachineInternalIP, Address: address})
		}
	}
	return list
}

// observe looks at the virtual machine itself, which between two plans may have disappeared or got other addresses.
func (r *Reconciler) observe(ctx context.Context, s *scope) (ctrl.Result, error) {
	if s.outputs != nil {
		return ctrl.Result{RequeueAfter: r.HealthInterval}, nil // a run has just looked
	}
	_, err := s.access.Client.VM(ctx, s.uuid())
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound):
		s.lose(infrav1.VMLostReason, "virtual machine "+s.uuid()+" disappeared from Prism Central; it is not made again with stale bootstrap data: delete the Machine, or let a MachineHealthCheck replace it")
	case err != nil:
		provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionFalse, provisioning.Diagnose(err).Reason, err.Error())
	default:
		provisioning.Set(s.nutanixMachine, infrav1.InputsResolvedCondition, metav1.ConditionTrue, infrav1.InputsResolvedReason, "")
	}
	return ctrl.Result{RequeueAfter: r.HealthInterval}, nil
}
