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

// The actions of runs, as logs name them.
const (
	actionPlan  = "plan"
	actionApply = "apply"
)

// announce logs what came of a run, in one line. What it logs are addresses, counts and messages, and like an event no value
// of an attribute.
func announce(log logr.Logger, target Target, action string, o outcome, took time.Duration) {
	values := []any{target.Kind, klog.KObj(target.Object), "action", action, "duration", took.Round(time.Millisecond).String()}
	record := o.record
	if o.planned != nil {
		record = &o.planned.Record
	}
	if record != nil {
		values = append(values, planValues(record)...)
	}
	if o.unlocked != "" {
		values = append(values, "brokenLock", o.unlocked)
	}
	switch {
	case o.err != nil:
		log.Info("A Terraform run failed", append(values, "class", class(o.err), "error", o.err.Error())...)
	case o.superseded != "":
		log.Info("A Terraform run is repeated", append(values, "because", o.superseded)...)
	case o.planned != nil:
		log.Info("Terraform planned", values...)
	case o.carriedOut:
		log.Info("Terraform applied the plan", values...)
	default:
		log.Info("Terraform found nothing to do", values...)
	}
}

func planValues(record *plan.Record) []any {
	counts := record.Counts
	return []any{"plan", fmt.Sprintf("%.12s", record.SHA256), "cause", string(record.Cause), "create", counts.Create, "update", counts.Update,
		"replace", counts.Replace, "delete", counts.Delete, "import", counts.Import}
}

// class is that of Terraform's failures; a run that fails before or after Terraform is told by its reason.
func class(err error) string {
	var failed *terraform.Error
	if errors.As(err, &failed) {
		return string(failed.Class)
	}
	return FailureReason(err)
}
