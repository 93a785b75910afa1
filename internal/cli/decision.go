package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

// newDecision returns the decision about what coverage covers. Its name says verdict and digest. maxUses is 0 if the user did not set it.
func newDecision(verdict infrav1.PlanVerdict, namespace string, covered coverage, reason string, expires time.Time, maxUses int32) (*infrav1.NutanixPlanDecision, error) {
	if maxUses == 0 && len(covered.classes) > 0 && verdict == infrav1.PlanVerdictApproved {
		if maxUses = covered.plansOfClasses(); maxUses == 0 {
			return nil, errors.New("no plan of the class waits: set --max-uses to the number of machines that the decision may be used for")
		}
	}
	decision := &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: namePrefix(verdict, covered)},
		Spec: infrav1.NutanixPlanDecisionSpec{
			Verdict:   verdict,
			Changes:   covered.changes,
			Classes:   covered.classes,
			Reason:    reason,
			ExpiresAt: &metav1.Time{Time: expires.UTC().Truncate(time.Second)},
		},
	}
	if maxUses > 0 {
		decision.Spec.MaxUses = &maxUses
	}
	return decision, nil
}

func namePrefix(verdict infrav1.PlanVerdict, covered coverage) string {
	first := slices.Concat(covered.classes, covered.changes)[0]
	return verb(verdict) + "-" + display.Short(first) + "-"
}

// verb returns the name of the command for a verdict.
func verb(verdict infrav1.PlanVerdict) string {
	if verdict == infrav1.PlanVerdictDenied {
		return "deny"
	}
	return "approve"
}

// decidedBefore returns an error if the same user has already decided what coverage covers and that decision still applies. A user may
// deny what he approved, because Denied takes precedence.
func decidedBefore(decision *infrav1.NutanixPlanDecision, covered coverage, decisions []infrav1.NutanixPlanDecision, user string, now time.Time) error {
	for _, earlier := range decisions {
		by := earlier.Spec.DecidedBy
		switch {
		case by == nil || by.Username != user:
			continue
		case earlier.Spec.ExpiresAt != nil && !earlier.Spec.ExpiresAt.After(now):
			continue
		case earlier.Spec.Verdict == infrav1.PlanVerdictApproved && decision.Spec.Verdict == infrav1.PlanVerdictDenied:
			continue
		case !decides(earlier, covered):
			continue
		}
		return fmt.Errorf("%s already %s this in decision %s, which applies until %s: delete that decision to decide again",
			user, strings.ToLower(string(earlier.Spec.Verdict)), earlier.Name, expiry(earlier))
	}
	return nil
}

// decides reports whether an earlier decision contains all digests of coverage and can still be used for all of its plans.
func decides(earlier infrav1.NutanixPlanDecision, covered coverage) bool {
	for _, class := range covered.classes {
		plans := selectPlans(covered.plans, func(plan infrav1.NutanixPlan) bool { return plan.Spec.ClassDigest == class })
		if !slices.Contains(earlier.Spec.Classes, class) || !usable(earlier, class, len(plans)) {
			return false
		}
	}
	for _, change := range covered.changes {
		if slices.Contains(earlier.Spec.Changes, change) && usable(earlier, change, 1) {
			continue
		}
		byClass := func(plan infrav1.NutanixPlan) bool {
			return plan.Spec.ChangeDigest == change && slices.Contains(earlier.Spec.Classes, plan.Spec.ClassDigest) &&
				usable(earlier, plan.Spec.ClassDigest, 1)
		}
		if !slices.ContainsFunc(covered.plans, byClass) {
			return false
		}
	}
	return true
}

// usable reports whether a decision can be used for so many more plans with a digest. Without maxUses, a change digest can be used once and
// a class digest without a limit.
func usable(decision infrav1.NutanixPlanDecision, digest string, plans int) bool {
	used := 0
	for _, use := range decision.Status.Uses {
		if use.Digest == digest {
			used++
		}
	}
	switch {
	case decision.Spec.Verdict == infrav1.PlanVerdictDenied:
		return true
	case decision.Spec.MaxUses != nil:
		return used+plans <= int(*decision.Spec.MaxUses)
	default:
		return used == 0 || slices.Contains(decision.Spec.Classes, digest)
	}
}

func expiry(decision infrav1.NutanixPlanDecision) string {
	if decision.Spec.ExpiresAt == nil {
		return "it is deleted"
	}
	return decision.Spec.ExpiresAt.UTC().Format(time.RFC3339)
}
