package v1beta1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// TestDeciderFitsIntoADecision checks that a user with many or long groups can make a decision.
func TestDeciderFitsIntoADecision(t *testing.T) {
	groups := []string{strings.Repeat("g", 257)}
	for i := range 100 {
		groups = append(groups, fmt.Sprintf("group-%d", i))
	}
	decider := infrav1.NewPlanDecider("bob", groups, time.Unix(7, 5))
	assert.Equal(t, groups[1:65], decider.Groups)
	assert.Equal(t, time.Unix(7, 0), decider.At.Time)
}

func TestDecisionExpires(t *testing.T) {
	now := time.Unix(1000, 0)
	spec := infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"sha256:0"}}
	assert.True(t, spec.Expired(now), "admission has not completed the decision")
	spec.Default(infrav1.NewPlanDecider("bob", nil, now))
	assert.False(t, spec.Expired(now.Add(24*time.Hour-time.Second)))
	assert.True(t, spec.Expired(now.Add(24*time.Hour)))
	spec.DecidedBy = nil
	assert.True(t, spec.Expired(now), "nobody made the decision")
}

func TestMaxUsesDefaultsToOneForApprovedChanges(t *testing.T) {
	by := infrav1.NewPlanDecider("bob", nil, time.Unix(0, 0))
	for name, tc := range map[string]struct {
		spec infrav1.NutanixPlanDecisionSpec
		want *int32
	}{
		"change": {infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"c"}}, ptr.To[int32](1)},
		"class":  {infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Classes: []string{"c"}}, nil},
		"both":   {infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"c"}, Classes: []string{"c"}}, nil},
		"denied": {infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictDenied, Changes: []string{"c"}}, nil},
		"chosen": {infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"c"}, MaxUses: ptr.To[int32](3)}, ptr.To[int32](3)},
	} {
		tc.spec.Default(by)
		assert.Equal(t, tc.want, tc.spec.MaxUses, name)
	}
}

func TestKeepRestoresOnlyWhatIsMissing(t *testing.T) {
	expires, later := metav1.Unix(1, 0), metav1.Unix(2, 0)
	old := infrav1.NutanixPlanDecisionSpec{DecidedBy: &infrav1.PlanDecider{Username: "bob"}, ExpiresAt: &expires, MaxUses: ptr.To[int32](1)}
	updated := infrav1.NutanixPlanDecisionSpec{DecidedBy: &infrav1.PlanDecider{Username: "mallory"}}
	updated.Keep(old)
	assert.Equal(t, old, updated)
	updated = infrav1.NutanixPlanDecisionSpec{ExpiresAt: &later, MaxUses: ptr.To[int32](2)}
	updated.Keep(old)
	assert.Equal(t, infrav1.NutanixPlanDecisionSpec{DecidedBy: old.DecidedBy, ExpiresAt: &later, MaxUses: ptr.To[int32](2)}, updated,
		"a change remains, so that it is refused")
}
