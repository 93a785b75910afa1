package lifecycle

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// recordedPlans returns all NutanixPlans, the oldest first.
func (f *fixture) recordedPlans() []infrav1.NutanixPlan {
	f.t.Helper()
	list := &infrav1.NutanixPlanList{}
	require.NoError(f.t, f.plans.List(f.t.Context(), list))
	return list.Items
}

// onlyPlan returns the NutanixPlan in the phase. There must be exactly one.
func (f *fixture) onlyPlan(phase infrav1.PlanPhase) *infrav1.NutanixPlan {
	f.t.Helper()
	var found []infrav1.NutanixPlan
	for _, recorded := range f.recordedPlans() {
		if recorded.Status.Phase == phase {
			found = append(found, recorded)
		}
	}
	require.Len(f.t, found, 1, "plans in phase %s: %+v", phase, f.recordedPlans())
	return &found[0]
}

// files returns the number of Secrets that contain plan files.
func (f *fixture) storedFiles() int {
	f.t.Helper()
	list := &corev1.SecretList{}
	require.NoError(f.t, f.plans.List(f.t.Context(), list, client.HasLabels{infrav1.PlanFileLabel}))
	return len(list.Items)
}

// The plan files of the double contain the module and the user data.
const moduleFile = "modules/machine/main.tf"

var module, userData = "# module\n" + rand.Text() + rand.Text() + rand.Text(), rand.Text() + rand.Text() + rand.Text()

func TestStoredPlanFileContainsNeitherModuleNorUserData(t *testing.T) {
	f := newFixture(t)
	f.addResource(machineAddress, "vm-1", false)
	f.target.Workspace.Files[moduleFile] = []byte(module)
	f.target.Variables = map[string]string{"user_data": userData}
	f.plan = updated("memory_size_mib")
	require.Equal(t, AwaitingDecision, f.settle().State)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.Less(t, len(f.fileOf(recorded).Data["tfplan"]), 120, "the signature has 76 bytes, the first line 11, and the texts 160")
	f.restart()
	f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "apply plan file 1")

	f.target.UserData = "of a machine that is being deleted"
	assert.Equal(t, plan.Texts{module, userData, f.target.UserData}, f.target.texts())
}

// waiting returns a fixture with a disruptive plan that waits.
func waiting(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.target.Workspace.Files[moduleFile] = []byte(module)
	f.addResource(machineAddress, "vm-1", false)
	f.plan = updated("memory_size_mib")
	require.Equal(t, AwaitingDecision, f.settle().State)
	return f
}

// decide creates a decision of user about the plan.
func (f *fixture) decide(name, user string, verdict infrav1.PlanVerdict, about *infrav1.NutanixPlan) *infrav1.NutanixPlanDecision {
	f.t.Helper()
	decision := &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: about.Spec.Target.Namespace},
		Spec: infrav1.NutanixPlanDecisionSpec{Verdict: verdict, Changes: []string{about.Spec.ChangeDigest},
			DecidedBy: &infrav1.PlanDecider{Username: user, At: metav1.NewTime(f.clock.Now())},
			ExpiresAt: &metav1.Time{Time: f.clock.Now().Add(24 * time.Hour)}},
	}
	require.NoError(f.t, f.plans.Create(f.t.Context(), decision))
	return decision
}

func TestPlanIsRecordedBeforeItIsApplied(t *testing.T) {
	f := newFixture(t)
	release := f.block("apply")
	f.step()
	f.wait()
	f.step()
	require.Equal(t, "apply", <-f.entered)
	applying := f.onlyPlan(infrav1.PlanPhaseApplying)
	assert.True(t, meta.IsStatusConditionTrue(applying.Status.Conditions, infrav1.DecidedCondition))
	assert.True(t, meta.IsStatusConditionFalse(applying.Status.Conditions, infrav1.AppliedCondition))
	assert.Zero(t, f.storedFiles(), "the file of a plan that does not wait stays in the manager")
	release()
	f.wait()
	require.Equal(t, InSync, f.settle().State)
	applied := f.onlyPlan(infrav1.PlanPhaseApplied)
	assert.Equal(t, applying.UID, applied.UID)
	assert.True(t, meta.IsStatusConditionTrue(applied.Status.Conditions, infrav1.AppliedCondition))
	assert.NotNil(t, applied.Status.FinishedTime)
	assert.Equal(t, infrav1.PlanTarget{Key: "uid-1", Kind: "NutanixMachine", Namespace: "default", Name: "m-1"}, applied.Spec.Target)
	require.Len(t, f.recordedPlans(), 1)
}

func TestNothingIsAppliedWithoutARecord(t *testing.T) {
	for name, funcs := range map[string]interceptor.Funcs{
		"the NutanixPlan cannot be created": {Create: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if _, isPlan := object.(*infrav1.NutanixPlan); isPlan {
				return errors.New("the API server is away")
			}
			return api.Create(ctx, object, options...)
		}},
		"the phase cannot be written": {SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errors.New("the API server is away")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			api, ok := f.plans.(client.WithWatch)
			require.True(t, ok)
			f.pipeline.Plans.Client = interceptor.NewClient(api, funcs)
			assert.Equal(t, Failed, f.settle().State)
			assert.NotContains(t, f.String(), "apply plan")
			f.pipeline.Plans.Client = f.plans
			f.advance(time.Minute)
			assert.Equal(t, InSync, f.settle().State)
			f.onlyPlan(infrav1.PlanPhaseApplied)
		})
	}
}

func TestWaitingPlanIsAppliedOnceAfterItsApproval(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.Equal(t, 1, f.storedFiles())
	assert.Contains(t, recorded.Status.WaitingFor, "1 of 1 approvals")
	assert.True(t, meta.IsStatusConditionFalse(recorded.Status.Conditions, infrav1.DecidedCondition))
	decision := f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, InSync, f.settle().State)

	applied := f.onlyPlan(infrav1.PlanPhaseApplied)
	assert.Equal(t, recorded.UID, applied.UID)
	assert.Equal(t, []string{"admin"}, applied.Status.DecidedBy)
	assert.Equal(t, 1, strings.Count(f.String(), "event Normal Decide WaitingForApproval: NutanixPlan m-1-plan waits for: 1 of 1 approvals; "))
	assert.Equal(t, 1, strings.Count(f.String(), "event Normal Decide Approved: NutanixPlan m-1-plan: approved by admin\n"))
	assert.Equal(t, []string{"d"}, applied.Status.Decisions)
	assert.Zero(t, f.storedFiles())
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	require.Len(t, decision.Status.Uses, 1)
	assert.NotNil(t, decision.Status.Uses[0].AppliedTime)

	f.remember()
	f.plan = updated("memory_size_mib")
	f.advance(10 * time.Minute)
	require.Equal(t, Drifted, f.settle().State, "the decision has been used")
	assert.Equal(t, recorded.Spec.ChangeDigest, f.onlyPlan(infrav1.PlanPhaseWaiting).Spec.ChangeDigest)
}

func TestDecisionBeforeThePlan(t *testing.T) {
	digest := waiting(t).onlyPlan(infrav1.PlanPhaseWaiting)
	f := newFixture(t)
	f.addResource(machineAddress, "vm-1", false)
	f.decide("d", "admin", infrav1.PlanVerdictApproved, digest)
	f.plan = updated("memory_size_mib")
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, []string{"admin"}, f.onlyPlan(infrav1.PlanPhaseApplied).Status.DecidedBy)
	assert.Equal(t, 1, strings.Count(f.String(), "event Normal Decide Approved: NutanixPlan m-1-plan: approved by admin\n"))
	assert.NotContains(t, f.String(), "WaitingForApproval")
}

func TestDeniedPlanIsNotApplied(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	denial := f.decide("no", "other", infrav1.PlanVerdictDenied, recorded)
	f.decide("yes", "admin", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, Denied, f.settle().State)
	denied := f.onlyPlan(infrav1.PlanPhaseDenied)
	assert.True(t, meta.IsStatusConditionTrue(denied.Status.Conditions, infrav1.DecidedCondition))
	assert.Contains(t, denied.Status.Message, "other denied it with NutanixPlanDecision no")
	assert.Equal(t, 1, strings.Count(f.String(), "event Warning Decide Denied: NutanixPlan m-1-plan: other denied it with NutanixPlanDecision no"))
	require.NoError(t, f.plans.Delete(t.Context(), denial))
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "event Normal Decide Approved: NutanixPlan m-1-plan: approved by admin\n")
}

// TestDecisionsAreReadAgainBeforeTheApply checks that a decision that is revoked after a step has seen it does not count.
func TestDecisionsAreReadAgainBeforeTheApply(t *testing.T) {
	f := waiting(t)
	decision := f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	release := f.block("state")
	require.Equal(t, Running, f.step().State)
	<-f.entered
	require.NoError(t, f.plans.Delete(t.Context(), decision))
	release()
	f.wait()
	require.Equal(t, AwaitingDecision, f.settle().State)
	f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.NotContains(t, f.String(), "apply plan")
}

func TestWaitingPlanSurvivesARestart(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	f.restart()
	require.Equal(t, AwaitingDecision, f.settle().State)
	f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, recorded.UID, f.onlyPlan(infrav1.PlanPhaseApplied).UID)
	assert.Contains(t, f.String(), "apply plan file 1")
	assert.Len(t, f.recordedPlans(), 1)
}

// fileOf returns the Secret with the file of a plan.
func (f *fixture) fileOf(recorded *infrav1.NutanixPlan) *corev1.Secret {
	f.t.Helper()
	secret := &corev1.Secret{}
	require.NoError(f.t, f.plans.Get(f.t.Context(), client.ObjectKey{Namespace: "default", Name: recorded.Spec.File.SecretName}, secret))
	return secret
}

// editFile changes one byte of the file of a plan.
func (f *fixture) editFile(recorded *infrav1.NutanixPlan) {
	f.t.Helper()
	secret := f.fileOf(recorded)
	secret.Data["tfplan"][3] ^= 1
	require.NoError(f.t, f.plans.Update(f.t.Context(), secret))
}

func (f *fixture) removeFile(recorded *infrav1.NutanixPlan) {
	f.t.Helper()
	require.NoError(f.t, f.plans.Delete(f.t.Context(), f.fileOf(recorded)))
}

func TestStoredPlanIsPlannedAgain_IfItDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(f *fixture, recorded *infrav1.NutanixPlan)
		message string
	}{
		"one byte of the file differs": {(*fixture).editFile, "the plan file differs"},
		"the file is under another key": {func(f *fixture, recorded *infrav1.NutanixPlan) {
			secret := f.fileOf(recorded)
			secret.Data = map[string][]byte{"other": secret.Data["tfplan"]}
			require.NoError(f.t, f.plans.Update(f.t.Context(), secret))
		}, "the plan file differs"},
		"the record was changed": {func(f *fixture, recorded *infrav1.NutanixPlan) {
			recorded.Spec.Disruption = infrav1.PlanDisruptionNone
			require.NoError(f.t, f.plans.Update(f.t.Context(), recorded))
		}, "the signature of the plan is not valid"},
		"the state was changed":     {func(f *fixture, _ *infrav1.NutanixPlan) { f.state.Serial++ }, "the state differs"},
		"the workspace was changed": {func(f *fixture, _ *infrav1.NutanixPlan) { f.render("digest-2") }, "the workspace differs"},
		"the variables were changed": {func(f *fixture, _ *infrav1.NutanixPlan) {
			f.target.Variables = map[string]string{"user_data": "other"}
		}, "the fingerprint of the sensitive variables differs"},
		"the file was removed": {(*fixture).removeFile, "the plan file was removed"},
		"another release with another module": {func(f *fixture, _ *infrav1.NutanixPlan) {
			f.target.Workspace.Files[moduleFile] = []byte(module + "# another comment")
		}, "have none that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			f := waiting(t)
			recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
			f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded.DeepCopy())
			test.change(f, recorded)
			f.restart()
			f.plan = updated("memory_size_mib")
			f.settle()
			assert.NotContains(t, f.String(), "apply plan file 1")
			assert.Contains(t, f.String(), "apply plan file 2", "the same change is approved")
			assert.Contains(t, f.onlyPlan(infrav1.PlanPhaseSuperseded).Status.Message, test.message)
			assert.Zero(t, f.storedFiles())
		})
	}
}

// TestEditedPlanFileIsPlannedAgain_WithoutARestart checks that the manager does not apply the file that it has in memory.
func TestEditedPlanFileIsPlannedAgain_WithoutARestart(t *testing.T) {
	for name, change := range map[string]func(f *fixture, recorded *infrav1.NutanixPlan){
		"edited": (*fixture).editFile, "removed": (*fixture).removeFile,
	} {
		t.Run(name, func(t *testing.T) {
			f := waiting(t)
			recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
			change(f, recorded)
			f.plan = updated("memory_size_mib")
			f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
			f.settle()
			assert.NotContains(t, f.String(), "apply plan file 1")
			assert.Contains(t, f.String(), "apply plan file 2", "the same change is approved")
			assert.Contains(t, f.onlyPlan(infrav1.PlanPhaseSuperseded).Status.Message, "the plan file differs")
			assert.Zero(t, f.storedFiles())
		})
	}
}

// TestEveryCrashLeavesARecord stops the manager at each phase of a plan. The next manager neither applies a plan twice nor applies anything
// without a record.
func TestEveryCrashLeavesARecord(t *testing.T) {
	for _, method := range []string{"plan", "apply", "outputs"} {
		t.Run(method, func(t *testing.T) {
			f := newFixture(t)
			f.block(method)
			f.step()
			if method != "plan" {
				f.wait()
				f.step()
			}
			<-f.entered
			before := f.pipeline
			f.start() // the next manager starts while the run of the earlier one is stopped, as after a crash
			require.Equal(t, InSync, f.settle().State)
			for _, recorded := range f.recordedPlans() {
				assert.True(t, recorded.Status.Phase.Final(), "%s is %s", recorded.Name, recorded.Status.Phase)
			}
			if method == "apply" {
				assert.Contains(t, f.onlyPlan(infrav1.PlanPhaseFailed).Status.Message, "the manager ended while it applied the plan")
			}
			assert.NotNil(t, before)
		})
	}
}

func TestDeletedPlanIsPlannedAgain(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	require.NoError(t, f.plans.Delete(t.Context(), recorded))
	f.pipeline.PlanDeleted(recorded)
	f.plan = updated("memory_size_mib")
	require.Equal(t, AwaitingDecision, f.settle().State)
	again := f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.NotEqual(t, recorded.UID, again.UID)
	assert.Equal(t, recorded.Spec.ChangeDigest, again.Spec.ChangeDigest)
}

func TestWaitingPlanExpires(t *testing.T) {
	f := waiting(t)
	f.target.CheckInterval = 0
	f.advance(24 * time.Hour)
	f.plan = updated("memory_size_mib")
	require.Equal(t, AwaitingDecision, f.settle().State)
	expired := f.onlyPlan(infrav1.PlanPhaseExpired)
	assert.NotEqual(t, expired.UID, f.onlyPlan(infrav1.PlanPhaseWaiting).UID)
	assert.Equal(t, 1, f.storedFiles())
}

// TestExpiredPlanIsNotApplied_AfterRestart approves a plan while no manager runs, until the plan has expired.
func TestExpiredPlanIsNotApplied_AfterRestart(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	f.advance(23 * time.Hour)
	f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
	f.advance(2 * time.Hour)
	f.restart()
	f.plan = updated("memory_size_mib")
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, recorded.UID, f.onlyPlan(infrav1.PlanPhaseExpired).UID)
	assert.NotContains(t, f.String(), "apply plan file 1")
	assert.Contains(t, f.String(), "apply plan file 2", "the same change is approved")
}

func TestPlanEndsWhenNothingIsLeftToChange(t *testing.T) {
	f := waiting(t)
	f.advance(10 * time.Minute)
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, "nothing is left to change", f.onlyPlan(infrav1.PlanPhaseSuperseded).Status.Message)
	assert.Zero(t, f.storedFiles())
}

func TestEverythingWaits_InModeAlways(t *testing.T) {
	f := newFixture(t)
	f.target.Approval.Rules = plan.Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways, RequiredApprovals: 2})
	require.Equal(t, AwaitingDecision, f.settle().State)
	create := f.onlyPlan(infrav1.PlanPhaseWaiting)
	f.decide("one", "admin", infrav1.PlanVerdictApproved, create)
	f.decide("two", "admin", infrav1.PlanVerdictApproved, create)
	require.Equal(t, AwaitingDecision, f.settle().State, "two decisions of one user count once")
	f.decide("three", "other", infrav1.PlanVerdictApproved, create)
	require.Equal(t, InSync, f.settle().State)
	f.delete()
	require.Equal(t, AwaitingDecision, f.settle().State)
	destroy := f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.Equal(t, infrav1.PlanCauseDelete, destroy.Spec.Cause)
	for i, user := range []string{"admin", "other"} {
		f.decide(fmt.Sprint("destroy-", i), user, infrav1.PlanVerdictApproved, destroy)
	}
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "apply plan file 2")
}

func TestWaitingCreateIsSuperseded_WhenTheObjectIsDeleted(t *testing.T) {
	f := newFixture(t)
	f.target.Approval.Rules = plan.Merge(infrav1.TerraformApproval{}, infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways})
	require.Equal(t, AwaitingDecision, f.settle().State)
	f.delete()
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, "nothing is left to destroy", f.onlyPlan(infrav1.PlanPhaseSuperseded).Status.Message)
	assert.Zero(t, f.storedFiles())
	assert.NotContains(t, f.String(), "apply plan")
}

func TestStateEditsAreRecorded(t *testing.T) {
	f := newFixture(t)
	f.addResource(machineAddress, "vm-1", true)
	require.Equal(t, InSync, f.settle().State)
	edit := f.onlyPlan(infrav1.PlanPhaseApplied)
	assert.Equal(t, infrav1.PlanCauseUntaint, edit.Spec.Cause)
	assert.Nil(t, edit.Spec.File)
	f.delete()
	f.target.Shared = []string{machineAddress}
	f.settle()
	require.Len(t, f.recordedPlans(), 2)
}

// editDigests returns the causes and change digests of the edits of the state of an object whose virtual machine has the ID id. The
// manager removes the taint, and forgets the virtual machine when the object is deleted.
func editDigests(t *testing.T, id string) map[infrav1.PlanCause]string {
	f := newFixture(t)
	f.addResource(machineAddress, id, true)
	require.Equal(t, InSync, f.settle().State)
	f.delete()
	f.target.Shared = []string{machineAddress}
	f.settle()
	digests := map[infrav1.PlanCause]string{}
	for _, edit := range f.recordedPlans() {
		digests[edit.Spec.Cause] = edit.Spec.ChangeDigest
		require.Len(t, edit.Spec.Changes, 1)
		require.Len(t, edit.Spec.Changes[0].Attributes, 1)
		assert.Equal(t, "id", edit.Spec.Changes[0].Attributes[0].Path)
	}
	return digests
}

func TestEditOfAnotherVM_HasAnotherChangeDigest(t *testing.T) {
	first, again, other := editDigests(t, "vm-1"), editDigests(t, "vm-1"), editDigests(t, "vm-2")
	assert.Equal(t, first, again)
	for _, cause := range []infrav1.PlanCause{infrav1.PlanCauseUntaint, infrav1.PlanCauseForget} {
		require.NotEmpty(t, first[cause])
		assert.NotEqual(t, first[cause], other[cause], cause)
	}
}

// TestApprovalOfAFailedApplyIsUsedUp_WhenNothingIsLeft lets an apply fail after it has changed everything. The approval of the plan must not
// let the same change pass later.
func TestApprovalOfAFailedApplyIsUsedUp_WhenNothingIsLeft(t *testing.T) {
	for name, fail := range map[string]func(f *fixture){
		"the apply fails": func(f *fixture) { f.fail("apply", terraformError("apply", terraform.Timeout)) },
		"the manager is killed": func(f *fixture) {
			f.block("apply")
			require.Equal(f.t, Running, f.step().State)
			<-f.entered
			f.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := waiting(t)
			decision := f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
			fail(f)
			f.settle()
			f.advance(time.Minute)
			require.Equal(t, InSync, f.settle().State, "the next plan contains no changes")
			require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
			require.Len(t, decision.Status.Uses, 1)
			assert.NotNil(t, decision.Status.Uses[0].AppliedTime)
			f.plan = updated("memory_size_mib")
			f.advance(10 * time.Minute)
			assert.NotEqual(t, InSync, f.settle().State)
			f.onlyPlan(infrav1.PlanPhaseWaiting)
		})
	}
}

// TestApprovalOfAFailedApplyIsUsedUp_WhenAnotherPlanDoesTheRest lets an apply fail after it has done a part. The rest is another change, which
// is approved by another decision.
func TestApprovalOfAFailedApplyIsUsedUp_WhenAnotherPlanDoesTheRest(t *testing.T) {
	f := waiting(t)
	decision := f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	f.fail("apply", terraformError("apply", terraform.Timeout))
	f.plan = updated("num_sockets")
	f.settle()
	f.advance(time.Minute)
	require.Equal(t, AwaitingDecision, f.settle().State)
	f.decide("rest", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	require.Equal(t, InSync, f.settle().State)
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	require.Len(t, decision.Status.Uses, 1)
	assert.NotNil(t, decision.Status.Uses[0].AppliedTime)
}

// TestDecisionIsUsedUpLater_IfItCannotBeWritten checks that the plan is Applied although its decision cannot be updated, and that the decision
// is updated after the next check.
func TestDecisionIsUsedUpLater_IfItCannotBeWritten(t *testing.T) {
	f := waiting(t)
	decision := f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	api, ok := f.plans.(client.WithWatch)
	require.True(t, ok)
	f.pipeline.Approvals.Client = interceptor.NewClient(api, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, api client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if updated, ok := object.(*infrav1.NutanixPlanDecision); ok && updated.Status.Uses[0].AppliedTime != nil {
				return errors.New("the API server is away")
			}
			return api.SubResource(name).Update(ctx, object, options...)
		},
	})
	require.Equal(t, InSync, f.settle().State)
	f.onlyPlan(infrav1.PlanPhaseApplied)
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	require.Nil(t, decision.Status.Uses[0].AppliedTime)

	f.pipeline.Approvals.Client = f.plans
	f.advance(10 * time.Minute)
	require.Equal(t, InSync, f.settle().State)
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	assert.NotNil(t, decision.Status.Uses[0].AppliedTime)
}
