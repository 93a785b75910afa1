package installation

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A plan waits while clusterctl moves its cluster to another management cluster. The plan and its file stay behind. The same change is
// planned on the other side with the same digest, and nothing is created again.
func TestWaitingPlanIsMadeAgain_AfterMove(t *testing.T) {
	first := newCluster(t, testStack.Env.Client, "moved", &infrav1.TerraformSpec{Drift: checkedOften})
	first.createMachine("moved-a", nil)
	vm := first.waitForReady("moved-a", "")
	first.addMemory(vm.UUID)
	left := first.waitForDrift("moved-a")
	first.approve(first.approver(), first.Namespace, "not-moved", infrav1.NutanixPlanDecisionSpec{Changes: []string{"sha256:" + strings.Repeat("0", 64)}})
	writes := vmWrites()

	there, kubeconfig := secondInstallationAt(t)
	second := *first
	second.client = there
	first.patch(&corev1.Secret{}, "bootstrap", `{"metadata":{"labels":{"`+clusterctlv1.ClusterctlMoveLabel+`":""}}}`)
	first.reportNode("moved-a")
	for _, c := range []*cluster{first, &second} {
		c.labelForClusterctl()
	}
	command := exec.CommandContext(first.ctx, testStack.Tool("bin/clusterctl"), "move", "--namespace", first.Namespace,
		"--kubeconfig", testStack.Env.Kubeconfig(), "--to-kubeconfig", kubeconfig, "-v", "2")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Run(), output.String())
	err := first.client.Get(first.ctx, client.ObjectKey{Namespace: first.Namespace, Name: "moved-a"}, &infrav1.NutanixMachine{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	again := second.waitForPlan("the change to wait again", target("NutanixMachine", "moved-a", infrav1.PlanPhaseWaiting))
	assert.NotEqual(t, left.UID, again.UID)
	assert.Equal(t, left.Spec.ChangeDigest, again.Spec.ChangeDigest)
	decisions := &infrav1.NutanixPlanDecisionList{}
	require.NoError(t, there.List(first.ctx, decisions))
	assert.Empty(t, decisions.Items, "decisions are not moved")
	assert.Equal(t, vm.UUID, second.waitForReady("moved-a", "").UUID)
	assert.Equal(t, writes, vmWrites())

	superseded := first.waitForPhase(left, infrav1.PlanPhaseSuperseded)
	assert.Contains(t, superseded.Status.Message, "does not exist any more")
	first.requireNoPlanFiles()
	assert.Len(t, vmsOf("moved-a"), 1)
	second.deleteCluster()
	assert.Empty(t, first.vms())
}

// reportNode reports in the status of the Cluster and of a Machine that the Machine is a Node. clusterctl does not move a Cluster without
// Nodes.
func (c *cluster) reportNode(name string) {
	c.t.Helper()
	c.updateStatus(&clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}}, func(object client.Object) {
		conditions.Set(object.(*clusterv1.Cluster), metav1.Condition{
			Type: clusterv1.ClusterControlPlaneInitializedCondition, Status: metav1.ConditionTrue, Reason: clusterv1.ClusterControlPlaneInitializedReason,
		})
	})
	c.updateStatus(&clusterv1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name}}, func(object client.Object) {
		object.(*clusterv1.Machine).Status.NodeRef = clusterv1.MachineNodeReference{Name: name}
	})
}

// updateStatus reads an object, changes its status and writes the status. Cluster API writes the status, too.
func (c *cluster) updateStatus(object client.Object, change func(client.Object)) {
	c.t.Helper()
	require.NoError(c.t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.client.Get(c.ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return c.client.Status().Update(c.ctx, object)
	}))
}

// labelForClusterctl labels the CRDs of Cluster API and its providers as clusterctl init does.
func (c *cluster) labelForClusterctl() {
	c.t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	require.NoError(c.t, c.client.List(c.ctx, list))
	for _, crd := range list.Items {
		if strings.HasSuffix(crd.Spec.Group, "cluster.x-k8s.io") {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+clusterctlv1.ClusterctlLabel+`":""}}}`))
			object := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: crd.Name}}
			require.NoError(c.t, c.client.Patch(c.ctx, object, patch))
		}
	}
}
