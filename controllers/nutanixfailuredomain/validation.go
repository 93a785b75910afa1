package nutanixfailuredomain

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// validate writes the Valid condition. It validates the spec. It also checks, for every cluster that uses the failure
// domain, that the cluster's Prism Central contains the Prism Element and the subnets. validate returns the delay
// before the next check, because changes in Prism Central trigger no reconcile. Zero means that no check is due.
func (r *Reconciler) validate(ctx context.Context, domain *infrav1.NutanixFailureDomain, clusters []*infrav1.NutanixCluster) time.Duration {
	if err := domain.Validate().ToAggregate(); err != nil { // the webhook rejects such a spec, but may have been bypassed
		provisioning.Set(domain, infrav1.FailureDomainValidCondition, metav1.ConditionFalse, infrav1.InvalidSpecReason, err.Error())
		return 0
	}
	var problems []*provisioning.Problem
	for _, cluster := range clusters {
		if err := r.checkInventory(ctx, domain.Spec, cluster); err != nil {
			problem := *provisioning.Diagnose(err)
			problem.Message = fmt.Sprintf("in the Prism Central of NutanixCluster %s: %s", cluster.Name, problem.Message)
			problems = append(problems, &problem)
		}
	}
	publishValidity(domain, problems, len(clusters) > 0)
	return shortestRetry(problems)
}

// publishValidity writes the Valid condition. Its status is Unknown if all problems may disappear by themselves, and
// False if a person has to correct at least one problem.
func publishValidity(domain *infrav1.NutanixFailureDomain, problems []*provisioning.Problem, asked bool) {
	status, reason, message := metav1.ConditionTrue, infrav1.FailureDomainValidReason, ""
	if !asked {
		message = "no cluster uses the failure domain yet, so no Prism Central was asked"
	}
	var messages []string
	for _, problem := range problems {
		if status == metav1.ConditionTrue || status == metav1.ConditionUnknown && !problem.Retry {
			reason, status = problem.Reason, metav1.ConditionFalse
			if problem.Retry {
				status = metav1.ConditionUnknown
			}
		}
		messages = append(messages, problem.Message)
	}
	if len(messages) > 0 {
		message = strings.Join(messages, "; ")
	}
	provisioning.Set(domain, infrav1.FailureDomainValidCondition, status, reason, message)
}

// shortestRetry returns the shortest delay after which one of the problems is retried, or zero if there is no problem.
func shortestRetry(problems []*provisioning.Problem) time.Duration {
	var after time.Duration
	for _, problem := range problems {
		if after == 0 || problem.After() < after {
			after = problem.After()
		}
	}
	return after
}

// checkInventory checks that the Prism Central of a cluster contains the Prism Element and the subnets of the failure
// domain.
func (r *Reconciler) checkInventory(ctx context.Context, spec infrav1.NutanixFailureDomainSpec, cluster *infrav1.NutanixCluster) error {
	inventory, err := r.Inventory(ctx, cluster)
	if err != nil {
		return err
	}
	element, err := inventory.PrismElement(ctx, spec.PrismElementCluster)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for i, id := range spec.Subnets {
		subnet, err := inventory.Subnet(ctx, id, element.UUID)
		if err != nil {
			return err
		}
		if first, ok := seen[subnet.UUID]; ok {
			return &provisioning.Problem{Reason: infrav1.SubnetDuplicateReason, Message: fmt.Sprintf(
				"spec.subnets[%d] and spec.subnets[%d] are the same subnet %s (%s); create another NutanixFailureDomain that names it once",
				first, i, subnet.Name, subnet.UUID)}
		}
		seen[subnet.UUID] = i
	}
	return nil
}
