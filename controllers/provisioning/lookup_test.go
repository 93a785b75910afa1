package provisioning

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
)

func TestLookUpsAreRetriedMoreAndMoreRarely(t *testing.T) {
	l, now := &LookUps{}, time.Unix(1000, 0)
	missing := Diagnose(fmt.Errorf("resolving spec.image: %w", &prism.NotFoundError{Kind: prism.KindImage, Identifier: "i"}))
	for _, most := range []time.Duration{20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, maxLookUpDelay, maxLookUpDelay} {
		delay := l.Fail("a", "1", missing, now)
		assert.LessOrEqual(t, delay, most)
		assert.GreaterOrEqual(t, delay, most/2)
		problem, left := l.Failed("a", "1", now.Add(time.Second))
		assert.Same(t, missing, problem)
		assert.Equal(t, delay-time.Second, left)
		now = now.Add(delay)
		problem, _ = l.Failed("a", "1", now)
		assert.Nil(t, problem, "the next attempt is due")
	}
	l.Fail("a", "1", missing, now)
	problem, _ := l.Failed("a", "2", now)
	assert.Nil(t, problem, "an edit is a new attempt")
	assert.LessOrEqual(t, l.Fail("a", "2", missing, now), retryLater)
	l.Forget("a")
	problem, _ = l.Failed("a", "2", now)
	assert.Nil(t, problem)
}

// Only results of look-ups are remembered. Other problems may disappear without a change in Prism Central or of the spec.
func TestOtherProblemsAreNotDelayed(t *testing.T) {
	l, now := &LookUps{}, time.Unix(1000, 0)
	for _, problem := range []*Problem{
		Diagnose(assert.AnError),
		Diagnose(&prism.AuthenticationError{Status: 401}),
		Diagnose(&prism.NotFoundError{Kind: prism.KindVM}),
		{Reason: infrav1.FailureDomainNotFoundReason},
	} {
		assert.Equal(t, problem.After(), l.Fail("a", "1", problem, now))
		remembered, _ := l.Failed("a", "1", now)
		assert.Nil(t, remembered, problem.Reason)
	}
}
