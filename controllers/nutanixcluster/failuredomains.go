package nutanixcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// domain is a failure domain from spec.failureDomains, or a NutanixFailureDomain from spec.controlPlaneFailureDomains.
type domain struct {
	name         string
	controlPlane bool
	prismElement infrav1.NutanixResourceIdentifier
	subnets      []infrav1.NutanixResourceIdentifier
}

// validateFailureDomains resolves every failure domain in Prism Central. It publishes the failure domains only if all
// of them can be resolved, because Cluster API spreads new machines over the published failure domains. If an edit
// cannot be resolved, a condition of the NutanixCluster reports the error, and the failure domains that were published
// before stay. Existing machines are not affected.
func (r *Reconciler) validateFailureDomains(ctx context.Context, s *scope) (ctrl.Result, error) {
	domains, err := r.failureDomains(ctx, s.nutanixCluster)
	if err != nil {
		return s.stop(infrav1.FailureDomainsValidatedCondition, provisioning.Diagnose(err))
	}
	if len(domains) == 0 {
		s.nutanixCluster.Status.FailureDomains = nil
		provisioning.Set(s.nutanixCluster, infrav1.FailureDomainsValidatedCondition, metav1.ConditionTrue, infrav1.NoFailureDomainsReason, "")
		return ctrl.Result{}, nil
	}
	published := make([]clusterv1.FailureDomain, 0, len(domains))
	var problems []string
	passing := true
	for _, domain := range domains {
		attributes, err := r.resolve(ctx, s, domain)
		if err != nil {
			problem := provisioning.Diagnose(err)
			problems = append(problems, fmt.Sprintf("failure domain %s: %s", domain.name, problem.Message))
			passing = passing && problem.Retry
			continue
		}
		published = append(published, clusterv1.FailureDomain{Name: domain.name, ControlPlane: ptr.To(domain.controlPlane), Attributes: attributes})
	}
	if len(problems) > 0 {
		reason := infrav1.FailureDomainsInvalidReason
		if passing {
			reason = infrav1.PrismUnreachableReason
		}
		return s.stop(infrav1.FailureDomainsValidatedCondition, &provisioning.Problem{
			Reason: reason, Message: strings.Join(problems, "; "), Retry: passing})
	}
	s.nutanixCluster.Status.FailureDomains = published
	provisioning.Set(s.nutanixCluster, infrav1.FailureDomainsValidatedCondition, metav1.ConditionTrue, infrav1.FailureDomainsValidatedReason, "")
	return ctrl.Result{}, nil
}

func (r *Reconciler) failureDomains(ctx context.Context, cluster *infrav1.NutanixCluster) ([]domain, error) {
	var domains []domain
	for _, config := range cluster.Spec.FailureDomains {
		domains = append(domains, domain{config.Name, config.ControlPlane, config.Cluster, config.Subnets})
	}
	var missing []error
	for _, ref := range cluster.Spec.ControlPlaneFailureDomains {
		object := &infrav1.NutanixFailureDomain{}
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: ref.Name}, object)
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, fmt.Errorf("NutanixFailureDomain %s, which spec.controlPlaneFailureDomains names, does not exist in namespace %s: create it, or take it out",
				ref.Name, cluster.Namespace))
		case err != nil:
			return nil, fmt.Errorf("getting NutanixFailureDomain %s: %w", ref.Name, err)
		default:
			domains = append(domains, domain{object.Name, true, object.Spec.PrismElementCluster, object.Spec.Subnets})
		}
	}
	if len(missing) > 0 {
		return nil, &provisioning.Problem{Reason: infrav1.FailureDomainNotFoundReason, Message: errors.Join(missing...).Error()}
	}
	return domains, nil
}

// resolve resolves a failure domain in Prism Central and returns the attributes to publish for the failure domain.
func (r *Reconciler) resolve(ctx context.Context, s *scope, domain domain) (map[string]string, error) {
	element, err := s.access.Client.PrismElement(ctx, domain.prismElement)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for i, identifier := range domain.subnets {
		subnet, err := s.access.Client.Subnet(ctx, identifier, element.UUID)
		if err != nil {
			return nil, err
		}
		if first, ok := seen[subnet.UUID]; ok {
			return nil, &provisioning.Problem{Reason: infrav1.SubnetDuplicateReason, Message: fmt.Sprintf(
				"subnets[%d] and subnets[%d] are the same subnet %s (%s): name it once", first, i, subnet.Name, subnet.UUID)}
		}
		seen[subnet.UUID] = i
	}
	return map[string]string{"prismElement": element.Name, "prismElementUUID": element.UUID}, nil
}
