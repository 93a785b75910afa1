package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

func TestListReadsTheNamespaceAndThatOfTheManager(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	var objects []client.Object
	for _, namespace := range []string{"prod", "test", "capnt-system"} {
		p := newPolicy("true")
		p.Namespace = namespace
		objects = append(objects, &p)
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	for namespace, want := range map[string][]string{
		"prod": {"capnt-system", "prod"}, "capnt-system": {"capnt-system"}, "empty": {"capnt-system"},
	} {
		policies, err := policy.List(t.Context(), reader, namespace, "capnt-system")
		require.NoError(t, err)
		var got []string
		for _, p := range policies {
			got = append(got, p.Namespace)
		}
		assert.ElementsMatch(t, want, got, namespace)
	}
}
