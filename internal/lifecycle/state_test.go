package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/internal/plan"
)

func TestDetermine(t *testing.T) {
	recorded := func(change ...func(*plan.Record)) *plan.Record {
		record := &plan.Record{Cause: plan.CauseCreate, WorkspaceDigest: "new"}
		for _, apply := range change {
			apply(record)
		}
		return record
	}
	tests := map[string]struct {
		observed Observed
		want     State
	}{
		"never applied":                    {Observed{Rendered: "new"}, NoPlan},
		"applied and unchanged":            {Observed{Rendered: "new", Applied: "new"}, InSync},
		"rendered differently":             {Observed{Rendered: "new", Applied: "old"}, NoPlan},
		"time to look for drift":           {Observed{Rendered: "new", Applied: "new", CheckDue: true}, NoPlan},
		"a run is under way":               {Observed{Rendered: "new", Running: true, Lost: true, BackingOff: true}, Running},
		"lost":                             {Observed{Rendered: "new", Applied: "new", Lost: true}, Lost},
		"lost but being deleted":           {Observed{Rendered: "new", Lost: true, Deleting: true}, NoPlan},
		"failed, retry not due":            {Observed{Rendered: "new", BackingOff: true}, Failed},
		"locked, retry not due":            {Observed{Rendered: "new", BackingOff: true, LockHeld: true}, Locked},
		"being deleted":                    {Observed{Rendered: "new", Applied: "new", Deleting: true}, NoPlan},
		"nothing left to destroy":          {Observed{Rendered: "new", Deleting: true, Destroyed: true}, InSync},
		"approved":                         {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Approved}, Approved},
		"denied":                           {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Denied}, Denied},
		"waiting":                          {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Waiting}, AwaitingDecision},
		"waiting too long":                 {Observed{Rendered: "new", Plan: recorded(), Decision: plan.Waiting, CheckDue: true}, PlanStale},
		"drift waits":                      {Observed{Rendered: "new", Plan: recorded(func(r *plan.Record) { r.Cause = plan.CauseDrift }), Decision: plan.Waiting}, Drifted},
		"planned for another workspace":    {Observed{Rendered: "newer", Plan: recorded(), Decision: plan.Approved}, PlanStale},
		"planned before the deletion":      {Observed{Rendered: "new", Deleting: true, Plan: recorded(), Decision: plan.Approved}, PlanStale},
		"destroy plan of a deleted object": {Observed{Rendered: "new", Deleting: true, Plan: recorded(func(r *plan.Record) { r.Destroy = true }), Decision: plan.Approved}, Approved},
		"destroy plan of a living object":  {Observed{Rendered: "new", Plan: recorded(func(r *plan.Record) { r.Destroy = true }), Decision: plan.Approved}, PlanStale},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, Determine(test.observed))
		})
	}
}
