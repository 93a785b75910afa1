package lifecycle

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// Actions of runs in log messages.
const (
	actionPlan   = "plan"
	actionApply  = "apply"
	actionRetain = "retain"
)

// logRun logs the outcome of a run in one line. The line contains resource addresses, counts and messages, but no attribute values.
func logRun(log logr.Logger, target Target, action string, o outcome, took time.Duration) {
	message, values := runLog(o)
	log.Info(message, append([]any{target.Kind, klog.KObj(target.Object), "action", action,
		"duration", took.Round(time.Millisecond).String()}, values...)...)
}

func runLog(o outcome) (message string, values []any) {
	switch o := o.(type) {
	case failed:
		return "A Terraform run failed", append(planValues(o.applying), failureValues(o.err)...)
	case unread:
		return "A Terraform run failed", append(planValues(o.record), failureValues(o.err)...)
	case planned:
		return "Terraform planned", planValues(&o.plan.Record)
	case applied:
		return "Terraform applied the plan", planValues(o.record)
	case destroyed:
		if o.record != nil {
			return "Terraform applied the plan", planValues(o.record)
		}
	case destroyedSome:
		return "Terraform applied the plan", planValues(o.record)
	case retained:
		return "The workspace is exported", nil
	case postponed:
		return "The plan is not applied yet", append(planValues(o.record), failureValues(o.err)...)
	case superseded:
		return "A Terraform run is repeated", []any{"because", o.reason}
	case unlocked:
		return "A Terraform run is repeated", []any{"because", "a lock was in the way", "brokenLock", o.lock}
	case onHold:
		return "A Terraform run changed nothing", []any{"because", o.hold.Message}
	case unchanged:
	}
	return "Terraform found nothing to do", nil
}

func planValues(record *plan.Record) []any {
	if record == nil {
		return nil
	}
	counts := record.Counts
	return []any{"plan", fmt.Sprintf("%.12s", record.SHA256), "cause", string(record.Cause), "create", counts.Create, "update", counts.Update,
		"replace", counts.Replace, "delete", counts.Delete, "import", counts.Import}
}

// failureValues returns the class and the message of an error as key-value pairs for a log line. If the error does not come from
// Terraform, the class is the condition reason.
func failureValues(err error) []any {
	class := FailureReason(err)
	var failed *terraform.Error
	if errors.As(err, &failed) {
		class = string(failed.Class)
	}
	return []any{"class", class, "error", err.Error()}
}
