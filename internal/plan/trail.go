package plan

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// Trail is the audit trail. audit.Log implements it.
type Trail interface {
	// Append adds a record. What the record announces must not be done if Append returns an error.
	Append(ctx context.Context, record audit.Record) error
}

// audited appends a record about a plan to the audit trail, if there is one.
func (s *Store) audited(ctx context.Context, object *infrav1.NutanixPlan, record audit.Record) error {
	if s.Trail == nil {
		return nil
	}
	spec := object.Spec
	record.Plan = object.Namespace + "/" + object.Name
	record.Target = audit.Target{Kind: spec.Target.Kind, Namespace: spec.Target.Namespace, Name: spec.Target.Name, Key: spec.Target.Key,
		VMUUID: spec.Target.VMUUID}
	record.Cause, record.Disruption = string(spec.Cause), string(spec.Disruption)
	record.ChangeDigest, record.ClassDigest = spec.ChangeDigest, spec.ClassDigest
	record.State = audit.State{Lineage: spec.State.Lineage, Serial: spec.State.Serial}
	record.Revision = spec.Origin.Revision
	if spec.File != nil {
		record.FileSHA256 = spec.File.SHA256
	}
	return s.Trail.Append(ctx, record)
}

// auditPlan records a new plan with its author.
func (s *Store) auditPlan(ctx context.Context, object *infrav1.NutanixPlan) error {
	return s.audited(ctx, object, audit.Record{Kind: audit.Plan, By: audit.User{Username: object.Spec.Origin.Author}, Message: object.Spec.Summary})
}

// auditPhase records what a plan enters with a phase: verdicts of policies, the begin of an apply, or the result.
func (s *Store) auditPhase(ctx context.Context, object *infrav1.NutanixPlan, phase infrav1.PlanPhase, message string, verdict Verdict) error {
	for _, finding := range verdict.Findings {
		record := audit.Record{Kind: audit.Policy, Source: "NutanixPlanPolicy/" + finding.Policy, Verdict: string(finding.Verdict),
			Message: fmt.Sprintf("rule %s: %s", finding.Rule, finding.Message)}
		if err := s.audited(ctx, object, record); err != nil {
			return err
		}
	}
	switch {
	case phase == infrav1.PlanPhaseApplying:
		if names := verdict.Names(); len(names) > 0 {
			message += " with NutanixPlanDecision " + strings.Join(names, ", ")
		}
		return s.audited(ctx, object, audit.Record{Kind: audit.Apply, Verdict: string(verdict.Decision), Message: message})
	case phase.Final():
		return s.auditResult(ctx, object, result{phase, message})
	}
	return nil
}

// result is the result of a plan in the audit trail.
type result struct {
	phase   infrav1.PlanPhase
	message string
}

// auditResult records the result of a plan once. If the final phase cannot be written afterwards, the next attempts to close the plan
// record nothing.
func (s *Store) auditResult(ctx context.Context, object *infrav1.NutanixPlan, of result) error {
	if _, found := s.result(object.UID); found {
		return nil
	}
	if err := s.audited(ctx, object, audit.Record{Kind: audit.Result, Verdict: string(of.phase), Message: of.message}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil {
		s.results = map[types.UID]result{}
	}
	s.results[object.UID] = of
	return nil
}

// result returns the result of a plan that is in the audit trail although the final phase could not be written yet.
func (s *Store) result(plan types.UID) (result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, found := s.results[plan]
	return known, found
}

func (s *Store) forgetResult(plan types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.results, plan)
}

// AuditDecision records a decision, with one record for each of its digests. revision is the Git revision of the decision, if it is known.
func AuditDecision(ctx context.Context, trail Trail, decision *infrav1.NutanixPlanDecision, revision string) error {
	record := audit.Record{Kind: audit.Decision, Source: "NutanixPlanDecision/" + decision.Namespace + "/" + decision.Name,
		Verdict: string(decision.Spec.Verdict), Reason: decision.Spec.Reason, Revision: revision,
		MaxUses: ptr.Deref(decision.Spec.MaxUses, 0)}
	if expires := decision.Spec.ExpiresAt; expires != nil {
		record.ExpiresAt = expires.UTC()
	}
	if by := decision.Spec.DecidedBy; by != nil {
		record.By = audit.User{Username: by.Username, Groups: by.Groups}
	}
	for _, digest := range decision.Spec.Changes {
		next := record
		next.ChangeDigest = digest
		if err := trail.Append(ctx, next); err != nil {
			return err
		}
	}
	for _, digest := range decision.Spec.Classes {
		next := record
		next.ClassDigest = digest
		if err := trail.Append(ctx, next); err != nil {
			return err
		}
	}
	return nil
}
