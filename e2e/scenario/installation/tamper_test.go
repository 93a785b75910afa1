package installation

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/audit"
)

var editedBytes = flag.Int("edited-bytes", 3, "number of bytes of plan files that TestEditedPlanFileIsPlannedAgain changes")

// planFileEntry is the key of the plan file in its Secret.
const planFileEntry = "tfplan"

// planFileEdit changes the data of the Secret with a plan file.
type planFileEdit func(data map[string][]byte)

// flipByte returns an edit of one bit. The byte with the bit is at the part number of total parts of the file.
func flipByte(number, total int) planFileEdit {
	return func(data map[string][]byte) {
		file := data[planFileEntry]
		file[(number*(len(file)-1)+total/2)/total] ^= 1 << (number % 8)
	}
}

func renameEntry(data map[string][]byte) {
	data["other"], data[planFileEntry] = data[planFileEntry], nil
}

func dropLastByte(data map[string][]byte) {
	data[planFileEntry] = data[planFileEntry][:len(data[planFileEntry])-1]
}

// The Secret of a waiting plan is edited, again and again, at another place each time. Each time the next manager refuses the plan, records
// why, and plans the same change again, which waits. At the end the Secret is edited while the manager runs. The decision about the change
// remains valid, and the change is applied once.
func TestEditedPlanFileIsPlannedAgain(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "edited", &infrav1.TerraformSpec{
		Approval: &infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways},
	})
	approver := c.approver()
	c.approve(approver, c.Namespace, "cluster", changeOf(c.waitForPlan("the plan of the cluster to wait",
		target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))))
	c.createMachine("edited-a", nil)
	waits := target("NutanixMachine", "edited-a", infrav1.PlanPhaseWaiting)
	plan := c.waitForPlan("the create to wait", waits)

	edits := []planFileEdit{renameEntry, dropLastByte}
	for number := range *editedBytes {
		edits = append(edits, flipByte(number, max(*editedBytes-1, 1)))
	}
	for number, edit := range edits {
		restartManager(t, func() { c.editPlanFile(plan, edit) })
		c.requireRefused(plan)
		next := c.waitForPlan(fmt.Sprintf("the create to wait after edit %d of %d", number+1, len(edits)), waits)
		require.NotEqual(t, plan.UID, next.UID)
		require.Equal(t, plan.Spec.ChangeDigest, next.Spec.ChangeDigest)
		plan = next
	}
	c.requireSmallPlans()
	require.Empty(t, c.vms())

	c.editPlanFile(plan, flipByte(1, 2))
	decision := c.approve(approver, c.Namespace, "create", changeOf(plan))
	c.requireRefused(plan)
	applied := c.waitForPlan("the create to be applied", target("NutanixMachine", "edited-a", infrav1.PlanPhaseApplied))
	assert.Equal(t, plan.Spec.ChangeDigest, applied.Spec.ChangeDigest)
	assert.Len(t, auditOf(t, audit.Apply, applied, auditLog()), 1)
	assert.Len(t, c.usesOf(decision), 1)
	c.waitForReady("edited-a", "")
	assert.Len(t, acceptedCreates("edited-a"), 1)
	c.requireNoPlanFiles()
	requireAuditVerified(t)
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"approval":null}}}`)
	c.deleteCluster()
	assert.Empty(t, c.vms())
}

// editPlanFile replaces the Secret of a plan by one whose data is edited. The Secret itself is immutable.
func (c *cluster) editPlanFile(plan infrav1.NutanixPlan, edit planFileEdit) {
	c.t.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: plan.Namespace, Name: plan.Spec.File.SecretName}
	require.NoError(c.t, c.client.Get(c.ctx, key, secret))
	require.Len(c.t, secret.Data, 1)
	edited := &corev1.Secret{Data: secret.DeepCopy().Data, Immutable: secret.Immutable, ObjectMeta: metav1.ObjectMeta{
		Namespace: key.Namespace, Name: key.Name, Labels: secret.Labels, OwnerReferences: secret.OwnerReferences,
	}}
	edit(edited.Data)
	require.NotEqual(c.t, secret.Data, edited.Data)
	require.NoError(c.t, c.client.Delete(c.ctx, secret))
	require.NoError(c.t, c.client.Create(c.ctx, edited))
}

// requireRefused waits until a plan is superseded because its file was edited. It requires that the audit log says the same, and that the
// plan was not applied.
func (c *cluster) requireRefused(plan infrav1.NutanixPlan) {
	c.t.Helper()
	const reason = "the plan file differs from the recorded one"
	superseded := c.waitForPhase(plan, infrav1.PlanPhaseSuperseded)
	require.Contains(c.t, superseded.Status.Message, reason)
	results := auditOf(c.t, audit.Result, plan, auditLog())
	require.Len(c.t, results, 1)
	require.Equal(c.t, string(infrav1.PlanPhaseSuperseded), results[0].Verdict)
	require.Contains(c.t, results[0].Message, reason)
	require.Empty(c.t, auditOf(c.t, audit.Apply, plan, auditLog()))
}

// acceptedCreates returns the requests for the creation of a VM that Prism Central has accepted.
func acceptedCreates(vm string) []prismsim.Request {
	return slices.DeleteFunc(testStack.Prism.Requests(), func(request prismsim.Request) bool {
		return request.Method != http.MethodPost || !strings.HasSuffix(request.Path, "/vms") || request.Status >= http.StatusMultipleChoices ||
			!bytes.Contains(request.Body, fmt.Appendf(nil, `"name":%q`, vm))
	})
}
