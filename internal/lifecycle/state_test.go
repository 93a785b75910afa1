package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/plan"
)

func TestDetermine(t *testing.T) {
	recorded := func(change ...func(*plan.Record)) *plan.Record {
		record := &plan.Record{Cause: plan.CauseCreate, Basis: plan.Basis{WorkspaceDigest: "new"}}
		for _, apply := range change {
			apply(record)
		}
		return record
	}
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	retry := func(seconds int, lockHeld bool) Failure {
		return Failure{Rendered: "new", RetryAt: now.Add(time.Duration(seconds) * time.Second), LockHeld: lockHeld}
	}
	checkIn := func(in time.Duration) Observed {
		return Observed{Rendered: "new", Applied: "new", DriftCheck: now.Add(in)}
	}
	with := func(o Observed, change func(*Observed)) Observed {
		change(&o)
		return o
	}
	drift := recorded(func(r *plan.Record) { r.Cause = plan.CauseDrift })
	update := recorded(func(r *plan.Record) { r.Cause = plan.CauseUpdate })
	destroy := recorded(func(r *plan.Record) { r.Destroy = true })
	off := &plan.Hold{Reason: "VMPoweredOff", Message: "it is off"}
	values := &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}
	ambiguous := recorded(func(r *plan.Record) { r.Hold = values })
	tests := map[string]struct {
		observed Observed
		want     State
	}{
		"never applied":                    {Observed{Rendered: "new"}, NoPlan},
		"applied and unchanged":            {Observed{Rendered: "new", Applied: "new"}, InSync},
		"rendered differently":             {Observed{Rendered: "new", Applied: "old"}, NoPlan},
		"not rendered":                     {Observed{Applied: "old"}, NoPlan},
		"not rendered, unchanged":          {Observed{Applied: "old", Current: true}, InSync},
		"not rendered, never applied":      {Observed{}, NoPlan},
		"not rendered, a plan waits":       {Observed{Applied: "old", Current: true, Plan: recorded(), Decision: plan.Waiting}, PlanStale},
		"switched off, nothing to do":      {Observed{Rendered: "new", Applied: "new", NoPlan: off}, InSync},
		"switched off":                     {Observed{Rendered: "new", Applied: "old", NoPlan: off}, Held},
		"switched off, a check is due":     {with(checkIn(0), func(o *Observed) { o.NoPlan = off }), Held},
		"switched off, approved":           {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Approved, NoPlan: off}, Held},
		"switched off, a plan waits":       {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Waiting, NoPlan: off}, AwaitingDecision},
		"switched off, being deleted":      {Observed{Rendered: "new", Deleting: true, NoPlan: off}, NoPlan},
		"switched off, a run is under way": {Observed{Rendered: "new", Running: true, NoPlan: off}, Running},
		"held, still so":                   {Observed{Rendered: "new", Plan: ambiguous, Decision: plan.Waiting, UpdatesObserved: true, NoUpdate: values}, AwaitingDecision},
		"held, not observed":               {Observed{Rendered: "new", Plan: ambiguous, Decision: plan.Waiting}, AwaitingDecision},
		"held, not any more":               {Observed{Rendered: "new", Plan: ambiguous, Decision: plan.Waiting, UpdatesObserved: true}, PlanStale},
		"a check is due":                   {checkIn(0), NoPlan},
		"a check is not due":               {checkIn(time.Second), InSync},
		"unfinished":                       {Observed{Rendered: "new", Applied: "new", Unfinished: true}, NoPlan},
		"a run is under way":               {Observed{Rendered: "new", Running: true, Failure: retry(1, false)}, Running},
		"failed, retry not due":            {Observed{Rendered: "new", Failure: retry(1, false)}, Failed},
		"failed, retry due":                {Observed{Rendered: "new", Failure: retry(0, false)}, NoPlan},
		"failed for another workspace":     {Observed{Rendered: "newer", Failure: retry(1, false)}, NoPlan},
		"locked, retry not due":            {Observed{Rendered: "new", Failure: retry(1, true)}, Locked},
		"being deleted":                    {Observed{Rendered: "new", Applied: "new", Deleting: true}, NoPlan},
		"nothing left to destroy":          {Observed{Rendered: "new", Deleting: true, Destroyed: true}, InSync},
		"approved":                         {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Approved}, Approved},
		"denied":                           {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Denied}, Denied},
		"waiting":                          {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Waiting}, AwaitingDecision},
		"waiting, a check is due":          {with(checkIn(0), func(o *Observed) { o.Plan, o.Decision = update, plan.Waiting }), PlanStale},
		"creation waits, a check is due":   {with(checkIn(0), func(o *Observed) { o.Applied, o.Plan, o.Decision = "", recorded(), plan.Waiting }), AwaitingDecision},
		"creation waits too long":          {Observed{Rendered: "new", Now: now, PlanExpires: now, Plan: recorded(), Decision: plan.Waiting}, PlanStale},
		"drift waits":                      {Observed{Rendered: "new", Applied: "new", Plan: drift, Decision: plan.Waiting}, Drifted},
		"planned for another workspace":    {Observed{Rendered: "newer", Plan: recorded(), Decision: plan.Approved}, PlanStale},
		"planned for a reverted change":    {Observed{Rendered: "old", Applied: "old", Plan: recorded(), Decision: plan.Waiting}, InSync},
		"planned before the deletion":      {Observed{Rendered: "new", Deleting: true, Plan: recorded(), Decision: plan.Approved}, PlanStale},
		"destroy plan, being deleted":      {Observed{Rendered: "new", Deleting: true, Plan: destroy, Decision: plan.Approved}, Approved},
		"destroy plan of a living object":  {Observed{Rendered: "new", Plan: destroy, Decision: plan.Approved}, PlanStale},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.observed.Now = now
			assert.Equal(t, test.want, Determine(test.observed))
		})
	}
}
