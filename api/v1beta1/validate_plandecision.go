package v1beta1

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

const (
	// DefaultDecisionLifetime is how long a decision applies whose creator sets no expiresAt.
	DefaultDecisionLifetime = 24 * time.Hour

	// MaxDecisionLifetime is the longest time for which a decision can apply.
	MaxDecisionLifetime = 90 * 24 * time.Hour

	// maxDeciderGroups is the number of groups of a user that fit into a decision.
	maxDeciderGroups = 64

	// maxGroupLength is the length of the longest group that fits into a decision.
	maxGroupLength = 256
)

// NewPlanDecider returns the user who makes a decision. It omits groups that do not fit into a decision; the permission of the user is
// checked with all groups.
func NewPlanDecider(username string, groups []string, now time.Time) PlanDecider {
	kept := slices.DeleteFunc(slices.Clone(groups), func(group string) bool { return len(group) > maxGroupLength })
	return PlanDecider{Username: username, Groups: kept[:min(len(kept), maxDeciderGroups)], At: metav1.Time{Time: now.Truncate(time.Second)}}
}

// Default sets decidedBy of a new decision, whatever it contained, and the fields that are unset.
func (s *NutanixPlanDecisionSpec) Default(by PlanDecider) {
	s.DecidedBy = &by
	if s.ExpiresAt == nil {
		s.ExpiresAt = &metav1.Time{Time: by.At.Add(DefaultDecisionLifetime)}
	}
	if s.MaxUses == nil && s.Verdict == PlanVerdictApproved && len(s.Classes) == 0 {
		s.MaxUses = ptr.To[int32](1)
	}
}

// Keep restores the fields that admission set when the decision was created. Therefore the same manifest can be applied again, whether or
// not it contains these fields.
func (s *NutanixPlanDecisionSpec) Keep(old NutanixPlanDecisionSpec) {
	s.DecidedBy = old.DecidedBy.DeepCopy()
	if s.ExpiresAt == nil {
		s.ExpiresAt = old.ExpiresAt.DeepCopy()
	}
	if s.MaxUses == nil && old.MaxUses != nil {
		s.MaxUses = ptr.To(*old.MaxUses)
	}
}

// Validate checks a new decision.
func (s *NutanixPlanDecisionSpec) Validate(now time.Time) field.ErrorList {
	latest := now.Add(MaxDecisionLifetime)
	if s.ExpiresAt == nil || !s.ExpiresAt.After(latest) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("spec", "expiresAt"), s.ExpiresAt.UTC().Format(time.RFC3339),
		fmt.Sprintf("is more than 90 days from now: set a time before %s", latest.UTC().Format(time.RFC3339)))}
}

// Expired reports whether the decision does not apply any more. A decision that admission has not completed never applies.
func (s *NutanixPlanDecisionSpec) Expired(now time.Time) bool {
	return s.DecidedBy == nil || s.ExpiresAt == nil || !now.Before(s.ExpiresAt.Time)
}

// ValidateClasses checks that a decision that approves a class of disruptive plans limits its uses. plans are the plans in the namespace of
// the decision.
func (s *NutanixPlanDecisionSpec) ValidateClasses(plans []NutanixPlan) field.ErrorList {
	if s.Verdict != PlanVerdictApproved || s.MaxUses != nil {
		return nil
	}
	for i := range plans {
		plan := &plans[i]
		if plan.Spec.Disruption != PlanDisruptionNone && slices.Contains(s.Classes, plan.Spec.ClassDigest) {
			return field.ErrorList{field.Required(field.NewPath("spec", "maxUses"), fmt.Sprintf(
				"class %s contains NutanixPlan %s, whose disruption is %s: set the number of targets whose plans this decision approves",
				plan.Spec.ClassDigest, plan.Name, plan.Spec.Disruption))}
		}
	}
	return nil
}
