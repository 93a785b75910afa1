package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
	"github.com/capnt/capnt/internal/provider"
)

// Decision is the decision about a recorded plan.
type Decision string

// Decisions. Waiting means that no decision has been made yet.
const (
	Approved Decision = "Approved"
	Denied   Decision = "Denied"
	Waiting  Decision = "Waiting"
)

// Verdict is a decision and the reason for it.
type Verdict struct {
	Decision Decision
	// Reason explains the decision in one line.
	Reason string
	// WaitingFor lists what a waiting plan waits for. NeedsApproval is true if it waits for approvals.
	WaitingFor    []string
	NeedsApproval bool
	// DecidedBy are the users whose decisions counted, sorted. It is empty if the rules alone decided.
	DecidedBy []string
	// Required is the number of users who must approve the plan. It is 0 if the plan needs no approval.
	Required int
	// Findings are the verdicts of policies about the plan.
	Findings []policy.Finding
	// Until is the time at which the verdict about a plan that waits or is denied can change without an event, for example the end of a
	// freeze. It is zero if there is none.
	Until time.Time
	// Expires is the time at which the plan expires if it waits or is denied until then. Decide does not set it.
	Expires time.Time
	// counted are the decisions that counted, sorted by name.
	counted []counted
}

// counted is a decision that counts for a plan, with the digest of the plan that the decision contains.
type counted struct {
	decision infrav1.NutanixPlanDecision
	digest   string
}

// Names returns the names of the decisions that counted, sorted.
func (v Verdict) Names() []string {
	var names []string
	for _, counted := range v.counted {
		names = append(names, counted.decision.Name)
	}
	return names
}

// Facts are the facts for a decision about a plan.
type Facts struct {
	Rules Rules
	// Decisions are the decisions in the namespace of the target.
	Decisions []infrav1.NutanixPlanDecision
	// Findings are the verdicts of policies about the plan.
	Findings []policy.Finding
	// Deleting says that the target is being deleted.
	Deleting bool
	// GitOps are the accounts of GitOps controllers. Their approvals count once together.
	GitOps sets.Set[string]
	Now    time.Time
}

// Decide returns the decision about a record. A denial takes precedence over approvals, and a freeze delays even an approved plan.
func Decide(record Record, facts Facts) Verdict {
	verdict := facts.decide(record)
	if verdict.Decision != Approved {
		verdict.Until = facts.until(verdict)
	}
	return verdict
}

func (f Facts) decide(record Record) Verdict {
	if verdict, denied := f.denial(record); denied {
		return verdict
	}
	verdict := Verdict{Decision: Approved, Reason: "the plan disrupts nothing", Findings: f.Findings}
	if f.Deleting {
		verdict.Reason = "the object is being deleted"
	}
	if causes := f.causes(record); len(causes) > 0 {
		verdict = f.approval(record, causes, verdict)
	}
	if record.Hold != nil && !f.Deleting {
		verdict = verdict.waitFor(record.Hold.Message)
	}
	if message, until := f.Rules.Closed(f.Now, f.Deleting); message != "" {
		verdict = verdict.waitFor(message)
		verdict.Until = until
	}
	return verdict
}

// recheckInterval is how often a plan is decided again while it waits or is denied because of a policy with a volatile expression.
const recheckInterval = time.Minute

// until returns the time at which the verdict can change: the end of a freeze, the expiry of a decision that counts, or the next evaluation
// of a volatile expression.
func (f Facts) until(verdict Verdict) time.Time {
	times := []time.Time{verdict.Until}
	for _, counted := range verdict.counted {
		times = append(times, counted.decision.Spec.ExpiresAt.Time)
	}
	if slices.ContainsFunc(verdict.Findings, func(finding policy.Finding) bool {
		return finding.Volatile && finding.Verdict != infrav1.PolicyVerdictWarn
	}) {
		times = append(times, f.Now.Add(recheckInterval))
	}
	times = slices.DeleteFunc(times, time.Time.IsZero)
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

// waitFor returns the verdict of a plan that also waits for something that is not an approval. message says what it is.
func (v Verdict) waitFor(message string) Verdict {
	if v.Decision == Approved {
		v.Decision, v.Reason = Waiting, message
	}
	v.WaitingFor = append(v.WaitingFor, message)
	return v
}

// denial returns the verdict of a plan that a decision or a policy denies.
func (f Facts) denial(record Record) (Verdict, bool) {
	for _, decision := range f.Decisions {
		digest := record.digestIn(decision.Spec)
		if digest == "" || decision.Spec.Verdict != infrav1.PlanVerdictDenied || f.expired(decision) {
			continue
		}
		user := username(decision)
		return Verdict{Decision: Denied, Reason: fmt.Sprintf("%s denied it with NutanixPlanDecision %s: %s", user, decision.Name,
			cmp.Or(decision.Spec.Reason, "no reason given")), DecidedBy: []string{user}, counted: []counted{{decision, digest}}}, true
	}
	if messages := f.messages(infrav1.PolicyVerdictDeny); len(messages) > 0 {
		return Verdict{Decision: Denied, Reason: strings.Join(messages, "; "), Findings: f.Findings}, true
	}
	return Verdict{}, false
}

// causes returns the reasons why the plan needs approvals. If there are none, the plan needs no approval.
func (f Facts) causes(record Record) []string {
	var causes []string
	switch {
	case f.Rules.Mode == infrav1.ApprovalModeAlways:
		causes = append(causes, "approval mode is Always")
	case record.Disruption > provider.None && !f.Deleting:
		causes = append(causes, fmt.Sprintf("the plan has disruption class %s: %s", record.Disruption, strings.Join(record.disruptive(), "; ")))
	}
	return append(causes, f.messages(infrav1.PolicyVerdictRequireApproval)...)
}

func (f Facts) messages(verdict infrav1.PolicyVerdict) []string {
	var messages []string
	for _, finding := range f.Findings {
		if finding.Verdict == verdict {
			messages = append(messages, fmt.Sprintf("policy %s: %s", finding.Policy, finding.Message))
		}
	}
	return messages
}

// approval returns the verdict about a plan that needs approvals because of causes.
func (f Facts) approval(record Record, causes []string, verdict Verdict) Verdict {
	required := int(max(f.Rules.RequiredApprovals, 1))
	verdict.Required = required
	byAuthor := false
	voters := map[string]bool{}
	for _, decision := range f.sorted() {
		digest := record.digestIn(decision.Spec)
		if digest == "" || decision.Spec.Verdict != infrav1.PlanVerdictApproved || f.expired(decision) || !usable(decision, digest, record) {
			continue
		}
		user := username(decision)
		voter := user
		if f.GitOps.Has(user) {
			voter = "GitOps" // users who may commit approve, so all such accounts count once
		} else if user == record.Source.Author || user == record.Source.Creator {
			byAuthor = true
			continue
		}
		if !voters[voter] && len(voters) < required {
			voters[voter] = true
			verdict.counted = append(verdict.counted, counted{decision, digest})
			verdict.DecidedBy = append(verdict.DecidedBy, user)
		}
	}
	slices.Sort(verdict.DecidedBy)
	if len(voters) >= required {
		verdict.Reason = "approved by " + strings.Join(verdict.DecidedBy, ", ")
		return verdict
	}
	need := fmt.Sprintf("%d of %d approvals", required-len(voters), required)
	if byAuthor {
		need += ", not by the author of the change"
	}
	verdict.NeedsApproval = true
	verdict.Decision, verdict.Reason, verdict.WaitingFor = Waiting, strings.Join(causes, "; "), append([]string{need}, causes...)
	return verdict
}

// sorted returns the decisions sorted by name, so that the same decisions count every time.
func (f Facts) sorted() []infrav1.NutanixPlanDecision {
	sorted := slices.Clone(f.Decisions)
	slices.SortFunc(sorted, func(a, b infrav1.NutanixPlanDecision) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

func (f Facts) expired(decision infrav1.NutanixPlanDecision) bool {
	return !decision.DeletionTimestamp.IsZero() || decision.Spec.Expired(f.Now)
}

// username returns the user who made the decision. Admission has written the name.
func username(decision infrav1.NutanixPlanDecision) string {
	if decision.Spec.DecidedBy == nil {
		return ""
	}
	return decision.Spec.DecidedBy.Username
}

// digestIn returns the digest of the plan that the decision contains, or an empty string.
func (r Record) digestIn(decision infrav1.NutanixPlanDecisionSpec) string {
	switch {
	case slices.Contains(decision.Changes, r.ChangeDigest):
		return r.ChangeDigest
	case slices.Contains(decision.Classes, r.ClassDigest):
		return r.ClassDigest
	default:
		return ""
	}
}

// usable reports whether the decision can be used for the plan. A use for a plan whose apply has not succeeded is not counted again.
func usable(decision infrav1.NutanixPlanDecision, digest string, record Record) bool {
	if username(decision) == "" {
		return false
	}
	used := int32(0)
	for _, use := range decision.Status.Uses {
		if use.Digest != digest {
			continue
		}
		if use.Target == record.Target.Key && use.AppliedTime == nil {
			return true
		}
		used++
	}
	switch {
	case decision.Spec.MaxUses != nil:
		return used < *decision.Spec.MaxUses
	case digest == record.ChangeDigest:
		return used == 0
	default:
		return record.Disruption == provider.None
	}
}

// disruptive returns descriptions of the changes whose disruption class is above None.
func (r Record) disruptive() []string {
	var changes []string
	for _, change := range r.Changes {
		attributes := strings.Join(change.attributesFrom(provider.PowerCycle), ", ")
		switch {
		case change.Disruption == provider.None:
		case change.Has(ActionDelete):
			changes = append(changes, "it destroys "+change.Address)
		case change.Has(ActionReplace) && attributes == "":
			changes = append(changes, "it replaces "+change.Address)
		case change.Has(ActionReplace):
			changes = append(changes, "it replaces "+change.Address+" and changes its "+attributes)
		case attributes == "":
			changes = append(changes, "it changes "+change.Address)
		default:
			changes = append(changes, "it changes "+attributes+" of "+change.Address)
		}
	}
	return changes
}
