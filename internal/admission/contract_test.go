package admission_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// TestContract checks the labels and names in the CRDs that Cluster API and clusterctl require.
func TestContract(t *testing.T) {
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 8)
	for _, file := range files {
		crd := readCRD(t, file)
		t.Run(crd.Spec.Names.Kind, func(t *testing.T) {
			assert.Equal(t, "v1beta1", crd.Labels["cluster.x-k8s.io/v1beta2"], "the API version with the v1beta2 contract")
			assert.NotContains(t, crd.Labels, "cluster.x-k8s.io/v1beta1", "our status cannot satisfy both contracts")
			assert.Equal(t, "infrastructure-nutanix", crd.Labels["cluster.x-k8s.io/provider"])
			// `kubectl get cluster-api` lists clusters and machines, but not the many plans.
			assert.NotEqual(t, strings.HasPrefix(crd.Spec.Names.Kind, "NutanixPlan"), slices.Contains(crd.Spec.Names.Categories, "cluster-api"))
			assert.Len(t, crd.Spec.Names.ShortNames, 1)

			// Failure domains have no owner reference to a Cluster, so clusterctl moves them only if the CRD has this label.
			_, moved := crd.Labels["clusterctl.cluster.x-k8s.io/move"]
			assert.Equal(t, crd.Spec.Names.Kind == "NutanixFailureDomain", moved)
		})
	}
	spec := readCRD(t, "../../config/crd/bases/infrastructure.cluster.x-k8s.io_nutanixmachines.yaml").
		Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	assert.NotContains(t, spec.Properties, "failureDomain", "Cluster API would overwrite that of the Machine with it")
}

func readCRD(t *testing.T, file string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	require.NoError(t, yaml.Unmarshal(content, crd))
	return crd
}
