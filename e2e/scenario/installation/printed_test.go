package installation

import (
	"encoding/json"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// printed returns what kubectl get prints for a plan: the cells by the names of their columns.
func (c *cluster) printed(plan infrav1.NutanixPlan) map[string]any {
	c.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", testStack.Env.Kubeconfig())
	require.NoError(c.t, err)
	config.GroupVersion, config.APIPath = &infrav1.GroupVersion, "/apis"
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	config.AcceptContentTypes = "application/json;as=Table;v=v1;g=meta.k8s.io"
	server, err := rest.RESTClientFor(config)
	require.NoError(c.t, err)
	content, err := server.Get().Namespace(plan.Namespace).Resource("nutanixplans").Name(plan.Name).DoRaw(c.ctx)
	require.NoError(c.t, err)
	table := metav1.Table{}
	require.NoError(c.t, json.Unmarshal(content, &table))
	require.Len(c.t, table.Rows, 1)
	row := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 { // kubectl prints the other columns with -o wide
			row[column.Name] = table.Rows[0].Cells[i]
		}
	}
	return row
}

// requirePrinted requires what kubectl get prints for a plan, and that the condition Decided has a status, so that kubectl wait
// --for=condition=Decided waits or not.
func (c *cluster) requirePrinted(plan infrav1.NutanixPlan, decided metav1.ConditionStatus, cells map[string]any) {
	c.t.Helper()
	row := c.printed(plan)
	assert.NotEmpty(c.t, row["Age"])
	delete(row, "Age")
	cells["Name"], cells["Target"], cells["Cause"] = plan.Name, plan.Spec.Target.Name, string(plan.Spec.Cause)
	assert.Equal(c.t, cells, row)
	condition := meta.FindStatusCondition(plan.Status.Conditions, infrav1.DecidedCondition)
	require.NotNil(c.t, condition)
	assert.Equal(c.t, decided, condition.Status)
	assert.Equal(c.t, plan.Generation, condition.ObservedGeneration, "kubectl wait ignores conditions of earlier generations")
}
