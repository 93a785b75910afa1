package nutanixmachine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// placement is the failure domain, Prism Element and subnets of a VM.
type placement struct {
	// failureDomain is the name of the failure domain of the Machine, or empty.
	failureDomain string
	prismElement  infrav1.NutanixResourceIdentifier
	subnets       []infrav1.NutanixResourceIdentifier
}

// place returns the placement for a new VM. The failure domain of the Machine takes precedence over the spec of the
// NutanixMachine. place does not change the spec, because the owner of the spec would revert the change.
func (r *Reconciler) place(ctx context.Context, s *scope) (placement, error) {
	spec := &s.nutanixMachine.Spec
	if name := s.machine.Spec.FailureDomain; name != "" {
		return r.failureDomain(ctx, s, name)
	}
	if spec.Cluster.Type == "" {
		return placement{}, &provisioning.Problem{Reason: infrav1.PrismElementNotSetReason, Message: fmt.Sprintf(
			"spec.cluster of NutanixMachine %s is not set and Machine %s is in no failure domain: set one of them in the template", s.nutanixMachine.Name, s.machine.Name)}
	}
	if len(spec.Subnets) == 0 {
		return placement{}, &provisioning.Problem{Reason: infrav1.SubnetNotSetReason, Message: fmt.Sprintf(
			"spec.subnet of NutanixMachine %s is empty and Machine %s is in no failure domain: set one of them in the template", s.nutanixMachine.Name, s.machine.Name)}
	}
	return placement{prismElement: spec.Cluster, subnets: spec.Subnets}, nil
}

// failureDomain looks up a failure domain by name. It searches the spec of the NutanixCluster first and then the
// NutanixFailureDomains.
func (r *Reconciler) failureDomain(ctx context.Context, s *scope, name string) (placement, error) {
	for _, config := range s.nutanixCluster.Spec.FailureDomains {
		if config.Name == name {
			return placement{failureDomain: name, prismElement: config.Cluster, subnets: config.Subnets}, nil
		}
	}
	domain := &infrav1.NutanixFailureDomain{}
	key := client.ObjectKey{Namespace: s.machine.Namespace, Name: name}
	if err := r.Client.Get(ctx, key, domain); apierrors.IsNotFound(err) {
		return placement{}, &provisioning.Problem{Reason: infrav1.FailureDomainNotFoundReason, Message: fmt.Sprintf(
			"spec.failureDomain of Machine %s is %s, but neither spec.failureDomains of NutanixCluster %s nor a NutanixFailureDomain in namespace %s has that name: create it, or correct the Machine's template",
			s.machine.Name, name, s.nutanixCluster.Name, key.Namespace)}
	} else if err != nil {
		return placement{}, fmt.Errorf("getting NutanixFailureDomain %s: %w", key, err)
	}
	return placement{failureDomain: name, prismElement: domain.Spec.PrismElementCluster, subnets: domain.Spec.Subnets}, nil
}
