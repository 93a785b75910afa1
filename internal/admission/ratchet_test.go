package admission_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// TestUpdateIsRefusedOnlyForNewErrors updates an object that was stored before the webhook was installed.
func TestUpdateIsRefusedOnlyForNewErrors(t *testing.T) {
	m := machine(namespace(t))
	m.Spec.MemorySize = resource.MustParse("1Gi")
	withoutValidation(t, m)

	m.Spec.ProviderID = "nutanix://" + uuid
	require.NoError(t, api.Update(t.Context(), m), "the old error is ignored")
	m.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "Team"}}
	err := api.Update(t.Context(), m)
	assert.ErrorContains(t, err, "spec.categories[0].value")
	assert.NotContains(t, err.Error(), "memorySize")
}

// withoutValidation creates a machine that the validating webhooks do not check. A selector excludes the machine until it is stored.
func withoutValidation(t *testing.T, m *infrav1.NutanixMachine) {
	t.Helper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Name: "capnt-validating-webhook-configuration"}, configuration))
	original := configuration.DeepCopy()
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"validated": "yes"}}
	}
	require.NoError(t, api.Update(t.Context(), configuration))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.NoError(c, api.Create(t.Context(), m.DeepCopy(), client.DryRunAll))
	}, deadline, tick, "the API server uses the changed webhooks")
	require.NoError(t, api.Create(t.Context(), m))

	original.ResourceVersion = configuration.ResourceVersion
	require.NoError(t, api.Update(t.Context(), original))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		probe := m.DeepCopy()
		probe.Name, probe.ResourceVersion = "probe", ""
		assert.ErrorContains(c, api.Create(t.Context(), probe, client.DryRunAll), "memorySize")
	}, deadline, tick, "the API server uses the restored webhooks")
}
