package plan

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// Approvals decides about recorded plans with the rules of the cluster, the policies, and the decisions of people. A decision must be in the
// namespace of the plan: nothing can be created in the namespace of the target while that namespace is being deleted.
type Approvals struct {
	// Client reads through the cache. Reader reads past it.
	Client client.Client
	Reader client.Reader
	// Namespace is the namespace of the manager. Its policies apply to all plans.
	Namespace string
	// GitOps are the accounts of GitOps controllers.
	GitOps sets.Set[string]
	// Floor are the approval rules of the manager. The rules of a cluster can only be stricter.
	Floor infrav1.TerraformApproval
	Clock clock.PassiveClock
}

// Context contains the objects that rules and policies refer to.
type Context struct {
	Rules Rules
	// Machine is the target, or nil if the target is a cluster.
	Machine *infrav1.NutanixMachine
	Cluster *infrav1.NutanixCluster
	// Deleting says that the target is being deleted.
	Deleting bool
}

// Decide returns the decision about a plan. It reads policies and decisions from the cache.
func (a *Approvals) Decide(ctx context.Context, stored Stored, about Context) (Verdict, error) {
	return a.decide(ctx, a.Client, stored, about)
}

func (a *Approvals) decide(ctx context.Context, reader client.Reader, stored Stored, about Context) (Verdict, error) {
	facts := Facts{Rules: about.Rules, Deleting: about.Deleting, GitOps: a.GitOps, Now: a.Clock.Now()}
	namespace := stored.Object.Namespace
	decisions := &infrav1.NutanixPlanDecisionList{}
	if err := reader.List(ctx, decisions, client.InNamespace(namespace)); err != nil {
		return Verdict{}, fmt.Errorf("listing the decisions in namespace %s: %w", namespace, err)
	}
	facts.Decisions = decisions.Items
	findings, err := a.findings(ctx, reader, stored, about)
	if err != nil {
		return Verdict{}, err
	}
	facts.Findings = findings
	verdict := Decide(stored.Record, facts)
	if verdict.Decision != Approved || about.Deleting {
		return verdict, nil
	}
	target := stored.Record.Target.Namespace
	if ends, err := a.namespaceEnds(ctx, target); err != nil {
		return Verdict{}, err
	} else if ends {
		verdict = verdict.waitFor("namespace " + target + " is being deleted, and the policies in it with it")
	}
	return verdict, nil
}

// namespaceEnds reports whether a namespace is being deleted. The policies and decisions in it are then deleted in any order, so that the
// absence of a policy does not mean that nobody objects. It reads past the cache, because the manager may not list Namespaces.
func (a *Approvals) namespaceEnds(ctx context.Context, name string) (bool, error) {
	namespace := &corev1.Namespace{}
	err := a.Reader.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return err == nil && !namespace.DeletionTimestamp.IsZero(), nil
}

// claims is how often Claim tries to record the use of decisions that other plans use at the same time.
const claims = 10

// Claim decides about a plan once more, past the cache. If the plan is approved, Claim records in the decisions that they are used for it.
// The plan may be applied only after Claim has returned Approved. If Claim is called again for the plan, it records nothing new.
func (a *Approvals) Claim(ctx context.Context, stored Stored, about Context) (Verdict, error) {
	about, err := a.withPresentRules(ctx, about)
	if err != nil {
		return Verdict{}, err
	}
	for attempt := 1; ; attempt++ {
		verdict, err := a.decide(ctx, a.Reader, stored, about)
		if err != nil || verdict.Decision != Approved {
			return verdict, err
		}
		err = a.use(ctx, stored, verdict)
		if err == nil || attempt == claims || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return verdict, err
		}
	}
}

// withPresentRules returns about with the NutanixCluster and its rules as the API server has them now. A freeze may have been added while
// the apply waited in the queue of the scheduler. If the NutanixCluster does not exist any more, about stays as it is.
func (a *Approvals) withPresentRules(ctx context.Context, about Context) (Context, error) {
	if about.Cluster == nil {
		return about, nil
	}
	key, cluster := client.ObjectKeyFromObject(about.Cluster), &infrav1.NutanixCluster{}
	if err := a.Reader.Get(ctx, key, cluster); apierrors.IsNotFound(err) {
		return about, nil
	} else if err != nil {
		return about, fmt.Errorf("reading the approval rules of NutanixCluster %s past the cache: %w", key, err)
	}
	about.Cluster, about.Rules = cluster, ClusterRules(a.Floor, cluster)
	return about, nil
}

// use records in the decisions that counted that they are used for the plan. A use of the same digest for the same target whose apply has
// not succeeded yet stays as it is.
func (a *Approvals) use(ctx context.Context, stored Stored, verdict Verdict) error {
	for _, counted := range verdict.counted {
		decision := counted.decision.DeepCopy()
		if pending(decision, counted.digest, stored.Record.Target.Key) != nil {
			continue
		}
		decision.Status.Uses = append(decision.Status.Uses, infrav1.PlanDecisionUse{
			Target: stored.Record.Target.Key, Digest: counted.digest, Plan: stored.Key().String(), At: metav1.NewTime(a.Clock.Now()),
		})
		if err := a.Client.Status().Update(ctx, decision); err != nil {
			return fmt.Errorf("recording the use of decision %s/%s: %w", decision.Namespace, decision.Name, err)
		}
	}
	return nil
}

// Complete records in the decisions that counted that the plan was applied. A later plan with the same digest needs another use.
func (a *Approvals) Complete(ctx context.Context, stored Stored) error {
	return a.changeUses(ctx, stored, func(_ *infrav1.NutanixPlanDecision, use *infrav1.PlanDecisionUse) bool {
		use.AppliedTime = &metav1.Time{Time: a.Clock.Now()}
		return true
	})
}

// Release removes the uses that Claim has recorded for a plan whose apply will not begin, so that other plans can use the decisions. The use
// of an earlier plan of the same target stays, because the apply of that plan has begun.
func (a *Approvals) Release(ctx context.Context, stored Stored) error {
	return a.changeUses(ctx, stored, func(decision *infrav1.NutanixPlanDecision, _ *infrav1.PlanDecisionUse) bool {
		before := len(decision.Status.Uses)
		decision.Status.Uses = slices.DeleteFunc(decision.Status.Uses, func(use infrav1.PlanDecisionUse) bool {
			return use.Plan == stored.Key().String()
		})
		return len(decision.Status.Uses) < before
	})
}

// changeUses calls change with each decision that counted for the plan and with its pending use for the target of the plan. It writes the
// decision if change returns true. A decision that does not exist any more or has no such use is left out.
func (a *Approvals) changeUses(ctx context.Context, stored Stored, change func(*infrav1.NutanixPlanDecision, *infrav1.PlanDecisionUse) bool) error {
	for _, name := range stored.Object.Status.Decisions {
		key := client.ObjectKey{Namespace: stored.Object.Namespace, Name: name}
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			decision := &infrav1.NutanixPlanDecision{}
			if err := a.Reader.Get(ctx, key, decision); err != nil {
				return err
			}
			use := pending(decision, stored.Record.digestIn(decision.Spec), stored.Record.Target.Key)
			if use == nil || !change(decision, use) {
				return nil
			}
			return a.Client.Status().Update(ctx, decision)
		})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("changing the use of decision %s by plan %s: %w", key, stored.Key(), err)
		}
	}
	return nil
}

// pending returns the use of the digest for the target whose apply has not succeeded yet, or nil.
func pending(decision *infrav1.NutanixPlanDecision, digest, target string) *infrav1.PlanDecisionUse {
	for i := range decision.Status.Uses {
		use := &decision.Status.Uses[i]
		if use.Digest == digest && use.Target == target && use.AppliedTime == nil {
			return use
		}
	}
	return nil
}

// findings returns the verdicts of the policies about the plan. It reads the policies with reader. The Namespace is read past the cache,
// because the manager may not list Namespaces.
func (a *Approvals) findings(ctx context.Context, reader client.Reader, stored Stored, about Context) ([]policy.Finding, error) {
	target := stored.Record.Target
	policies, err := policy.List(ctx, reader, target.Namespace, a.Namespace)
	if err != nil || len(policies) == 0 {
		return nil, err
	}
	input := policy.Input{Plan: stored.Object, Machine: about.Machine, Cluster: about.Cluster, Now: a.Clock.Now()}
	namespace := &corev1.Namespace{}
	if err := a.Reader.Get(ctx, client.ObjectKey{Name: target.Namespace}, namespace); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", target.Namespace, err)
	} else if err == nil {
		input.Namespace = namespace
	}
	count, err := a.machines(ctx, target.Namespace, stored.Record.Source.Cluster)
	if err != nil {
		return nil, err
	}
	input.MachineCount = &count
	findings := policy.Evaluate(policies, input)
	return findings, policy.Report(ctx, a.Client, stored.Object, policies, findings)
}

// machines returns the number of NutanixMachines of a cluster that are not being deleted.
func (a *Approvals) machines(ctx context.Context, namespace, cluster string) (count int64, err error) {
	list := &infrav1.NutanixMachineList{}
	if err := a.Client.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: cluster}); err != nil {
		return 0, fmt.Errorf("listing the NutanixMachines of cluster %s/%s: %w", namespace, cluster, err)
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp.IsZero() {
			count++
		}
	}
	return count, nil
}
