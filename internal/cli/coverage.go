package cli

import (
	"errors"
	"fmt"
	"slices"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

// coverage is what a decision covers.
type coverage struct {
	changes, classes []string
	// plans are the existing plans that the decision covers and that are not final.
	plans []infrav1.NutanixPlan
	// outliers are plans that wait, belong to the same rollout as a covered plan, and are not covered.
	outliers []infrav1.NutanixPlan
}

// resolveCoverage returns what a decision with a verdict covers. The user selects plans by their names, or by digests that may be short.
func resolveCoverage(verdict infrav1.PlanVerdict, plans []infrav1.NutanixPlan, names, changes, classes []string) (coverage, error) {
	var result coverage
	for _, name := range names {
		i := slices.IndexFunc(plans, func(plan infrav1.NutanixPlan) bool { return plan.Name == name })
		if i < 0 {
			return result, fmt.Errorf("plan %s does not exist: list the plans of the namespace with plan list", name)
		}
		if err := decidable(verdict, plans[i]); err != nil {
			return result, err
		}
		result.changes = append(result.changes, plans[i].Spec.ChangeDigest)
	}
	for _, text := range changes {
		digest, err := resolveDigest(text, changeDigests(plans))
		if err != nil {
			return result, err
		}
		result.changes = append(result.changes, digest)
	}
	for _, text := range classes {
		digest, err := resolveDigest(text, classDigests(plans))
		if err != nil {
			return result, err
		}
		result.classes = append(result.classes, digest)
	}
	if len(result.changes)+len(result.classes) == 0 {
		return result, errors.New("nothing to decide: name plans, or set --change or --class")
	}
	result.changes = unique(result.changes)
	result.classes = unique(result.classes)
	result.find(plans)
	return result, nil
}

func unique(digests []string) []string {
	slices.Sort(digests)
	return slices.Compact(digests)
}

// decidable returns an error if a plan cannot be decided with a verdict any more.
func decidable(verdict infrav1.PlanVerdict, plan infrav1.NutanixPlan) error {
	phase := plan.Status.Phase
	switch {
	case phase.Final() || phase == infrav1.PlanPhaseApplying:
		return fmt.Errorf("plan %s is %s: it cannot be decided any more", plan.Name, phase)
	case phase == infrav1.PlanPhaseApproved && verdict == infrav1.PlanVerdictApproved:
		return fmt.Errorf("plan %s is already approved", plan.Name)
	case phase == infrav1.PlanPhaseDenied && verdict == infrav1.PlanVerdictDenied:
		return fmt.Errorf("plan %s is already denied", plan.Name)
	}
	return nil
}

// find sets the plans and outliers.
func (c *coverage) find(plans []infrav1.NutanixPlan) {
	for _, plan := range plans {
		if !plan.Status.Phase.Final() && c.covers(plan) {
			c.plans = append(c.plans, plan)
		}
	}
	display.Sort(c.plans)
	for _, plan := range plans {
		isOutlier := func(covered infrav1.NutanixPlan) bool { return display.IsOutlier(&covered, &plan) }
		if waits(plan) && !c.covers(plan) && slices.ContainsFunc(c.plans, isOutlier) {
			c.outliers = append(c.outliers, plan)
		}
	}
}

func (c *coverage) covers(plan infrav1.NutanixPlan) bool {
	return slices.Contains(c.changes, plan.Spec.ChangeDigest) || slices.Contains(c.classes, plan.Spec.ClassDigest)
}

// plansOfClasses returns the number of covered plans that wait and whose class the decision contains.
func (c *coverage) plansOfClasses() int32 {
	var count int32
	for _, plan := range c.plans {
		if waits(plan) && slices.Contains(c.classes, plan.Spec.ClassDigest) {
			count++
		}
	}
	return count
}

// plansBy returns the number of covered plans whose change a user made.
func (c *coverage) plansBy(user string) int {
	return len(selectPlans(c.plans, func(plan infrav1.NutanixPlan) bool {
		return plan.Spec.Origin.Author == user || plan.Spec.Origin.Creator == user
	}))
}
