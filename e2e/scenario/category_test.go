package scenario

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// A VM that is not part of the cluster has the category value of the cluster when the Cluster is deleted. The deletion
// completes, the category value stays in Prism Central, and an event reports it. A later Cluster of the same name uses
// the category value and deletes it.
func TestCategoryValueOnAForeignVMOutlivesItsCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "category")
	c.ControlPlanes = 0
	c.apply()
	c.provisioned()
	foreign, err := testStack.Prism.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: "foreign", PrismElement: "nutanix-cluster-1", Subnets: []string{c.Subnet},
		Categories: map[string]string{infrav1.CategoryKey: c.Name}, Off: true})
	require.NoError(t, err)
	logf(t, "somebody else put category %s=%s on virtual machine %s", infrav1.CategoryKey, c.Name, foreign[0].Name)

	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, object))
	c.must(testStack.Env.WaitForGone(c.ctx, object))
	require.Empty(t, c.infraCluster())
	assert.Equal(t, foreign, c.vms())
	assert.Contains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), c.Name)
	c.waitForEvents(c.Name, infrav1.CategoryKeptReason)
	kept := slices.IndexFunc(c.events(c.Name), func(event eventsv1.Event) bool { return event.Reason == infrav1.CategoryKeptReason })
	assert.Contains(t, c.events(c.Name)[kept].Note, foreign[0].Name)
	assert.Empty(t, c.categoryDeletions(), "Prism Central is not asked to delete the value")

	require.NoError(t, testStack.Prism.DeleteVM(foreign[0].UUID))
	c.apply()
	c.provisioned()
}

// provisioned waits until the NutanixCluster is Ready.
func (c *cluster) provisioned() {
	c.t.Helper()
	object := &infrav1.NutanixCluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	c.must(testStack.Env.WaitForCondition(c.ctx, object, infrav1.ReadyCondition, metav1.ConditionTrue))
}

// categoryDeletions returns the requests in which Prism Central was asked to delete the category value of the cluster.
func (c *cluster) categoryDeletions() []prismsim.Request {
	return slices.DeleteFunc(testStack.Prism.Requests(), func(request prismsim.Request) bool {
		return request.Method != http.MethodDelete || !strings.HasSuffix(request.Path, "/categories/"+infrav1.CategoryKey+"/"+c.Name)
	})
}
